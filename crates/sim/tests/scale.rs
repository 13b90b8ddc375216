//! A large swarm fills, and what is lost of it is replaced without touching the rest.

use skep_sim::scale::Trial;

#[test]
fn a_thousand_workers_lose_a_tenth_and_nothing_moves_needlessly() {
    let mut trial = Trial::begin(1_000, 2_000, 1);
    for step in Trial::STEPS {
        (step.run)(&mut trial).unwrap_or_else(|broken| panic!("{}: {broken}", step.name));
    }
}
