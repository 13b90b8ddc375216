//! `--ulimit`: a bound of processes, `nofile=1024:2048`.

use api::spec::container::Ulimit;
use model::spec::container::Ulimit as Noun;

/// Reads `name=soft[:hard]`; −1 means without bound.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let refuse = || format!("invalid ulimit argument: {text}");
    let (name, limits) = text.split_once('=').ok_or_else(refuse)?;
    if !Noun::NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |word: &str| word.parse::<i64>().map_err(|_| refuse());
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_has_a_name_and_numbers() {
        for (text, expected) in [("nofile=1", ("nofile", 1, 1)), ("core=1:-1", ("core", 1, -1))] {
            let Ulimit { name, soft, hard } = ulimit(text).unwrap();
            assert_eq!((name.as_str(), soft, hard), expected, "{text}");
        }
        for (text, rule) in [
            ("a", "invalid ulimit argument: a"),
            ("a=1", "invalid ulimit type: a"),
            ("nofile=x", "invalid ulimit argument: nofile=x"),
            ("nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
        ] {
            assert_eq!(ulimit(text).unwrap_err(), rule, "{text}");
        }
    }
}
