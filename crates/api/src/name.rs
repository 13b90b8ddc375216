//! Names for what comes without one: `adjective_surname`.

use model::Chance;

/// Draws a name such as `brisk_lovelace`.
pub fn random(chance: &mut Chance) -> String {
    let adjective = pick(ADJECTIVES, chance);
    format!("{adjective}_{}", pick(SURNAMES, chance))
}

fn pick<'a>(words: &[&'a str], chance: &mut Chance) -> &'a str {
    words[chance.below(words.len() as u64) as usize]
}

const ADJECTIVES: &[&str] = &[
    "amber", "ample", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "cheerful", "clever",
    "cosy", "daring", "deft", "eager", "earnest", "fair", "fond", "frank", "gentle", "glad", "golden",
    "grand", "handy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
    "mellow", "merry", "mild", "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud",
    "quick", "quiet", "ready", "serene", "shy", "sleek", "sober", "spry", "steady", "stoic", "sunny",
    "swift", "tender", "tidy", "true", "upbeat", "vivid", "warm", "wise", "witty",
];

const SURNAMES: &[&str] = &[
    "abel",
    "ampere",
    "archimedes",
    "avogadro",
    "babbage",
    "banach",
    "bernoulli",
    "bohr",
    "boole",
    "born",
    "cantor",
    "cauchy",
    "cerf",
    "church",
    "curie",
    "darwin",
    "dijkstra",
    "dirac",
    "einstein",
    "erdos",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fourier",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "godel",
    "goldberg",
    "hamilton",
    "hertz",
    "hilbert",
    "hooke",
    "hopper",
    "hypatia",
    "joule",
    "kepler",
    "knuth",
    "kovalevskaya",
    "lagrange",
    "lamport",
    "laplace",
    "leibniz",
    "linnaeus",
    "liskov",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "newton",
    "noether",
    "ohm",
    "pascal",
    "pasteur",
    "planck",
    "poincare",
    "ritchie",
    "shannon",
    "turing",
    "volta",
    "wiles",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_name_is_a_lawful_service_name() {
        let mut chance = Chance::from_number(1);
        for _ in 0..100 {
            let name = random(&mut chance);
            assert_eq!(model::name::check_dns(&name), Ok(()), "{name}");
        }
    }
}
