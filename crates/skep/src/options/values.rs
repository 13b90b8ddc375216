//! Single values: durations, sizes, processors, pairs and lists of fields.

use std::collections::BTreeMap;

/// A duration such as `1m30s`, in nanoseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if rest == "0" {
        return Ok(0);
    }
    if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!("time: missing unit in duration \"{text}\""));
    }
    let span = api::time::words(rest).ok_or_else(|| format!("time: invalid duration \"{text}\""))?;
    Ok(sign * api::time::nanos(span))
}

/// A size such as `64m`, in bytes; the steps are 1024.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let refuse = || format!("invalid size: '{text}'");
    let lower = text.trim().to_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let power = match unit.trim().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(refuse()),
    };
    let value = number.parse::<f64>().map_err(|_| refuse())? * 1024f64.powi(power);
    if value < i64::MAX as f64 { Ok(value as i64) } else { Err(refuse()) }
}

/// Processors such as `0.5`, in billionths.
pub(crate) fn cpus(text: &str) -> Result<i64, String> {
    let refuse = || format!("failed to parse {text} as a rational number");
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !digits(whole) || !digits(decimals) || whole.len() + decimals.len() == 0 {
        return Err(refuse());
    }
    if decimals.trim_end_matches('0').len() > 9 {
        return Err("value is too precise".to_owned());
    }
    let nanos: i64 = format!("{decimals:0<9}")[..9].parse().map_err(|_| refuse())?;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| refuse())? };
    whole.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos)).ok_or_else(refuse)
}

/// A size of which −1 means that there is no bound.
pub(crate) fn bytes_or_unbound(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// Yes or no, in the words that Go reads.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A filter, `KEY=VALUE`.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    if text.contains('=') {
        Ok(text.to_owned())
    } else {
        Err("bad format of filter (expected name=value)".to_owned())
    }
}

/// The word of a choice.
pub(crate) fn word(choice: impl clap::ValueEnum) -> String {
    choice.to_possible_value().expect("no word is skipped").get_name().to_owned()
}

/// `key=value`; without a sign the value is empty.
pub(crate) fn pair(word: &str) -> (String, String) {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    (key.to_owned(), value.to_owned())
}

/// Words `key=value` as a map; the last of a key counts.
pub(crate) fn pairs(words: &[String]) -> BTreeMap<String, String> {
    words.iter().map(|word| pair(word)).collect()
}

/// What a map shall have less of.
pub(crate) fn without(map: &mut BTreeMap<String, String>, keys: &[String]) {
    map.retain(|key, _| !keys.contains(key));
}

/// `key=value,key=value`, where a quoted field may hold commas. A field without a sign has no value.
pub(crate) fn fields(text: &str) -> Vec<(String, Option<String>)> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("there is one from the start").push(letter),
        }
    }
    let split = |field: String| match field.split_once('=') {
        Some((key, value)) => (key.trim().to_lowercase(), Some(value.to_owned())),
        None => (field.trim().to_lowercase(), None),
    };
    fields.into_iter().map(split).collect()
}

/// The words of a command line: blanks part them, quotes hold them together.
pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in: {text}"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units() {
        for (text, expected) in [
            ("1s", Ok(1_000_000_000)),
            ("1m30s", Ok(90_000_000_000)),
            ("0", Ok(0)),
            ("-5s", Ok(-5_000_000_000)),
            ("5", Err("time: missing unit in duration \"5\"".to_owned())),
            ("x", Err("time: invalid duration \"x\"".to_owned())),
            ("", Err("time: invalid duration \"\"".to_owned())),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_count_in_steps_of_1024() {
        for (text, expected) in [("1", 1), ("64m", 67_108_864), ("1.5k", 1536), ("2GiB", 2_147_483_648)] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert_eq!((bytes_or_unbound("-1"), bytes_or_unbound("1k")), (Ok(-1), Ok(1024)));
        for text in ["", "abc", "1x", "-1m", "9999999999999t"] {
            assert_eq!(bytes(text), Err(format!("invalid size: '{text}'")));
        }
    }

    #[test]
    fn processors_are_decimal() {
        for (text, expected) in [(".5", 500_000_000), ("2", 2_000_000_000), ("0.000000001", 1)] {
            assert_eq!(cpus(text), Ok(expected), "{text}");
        }
        for text in ["", "abc", "-1", "1.5.2", "99999999999999"] {
            assert_eq!(cpus(text), Err(format!("failed to parse {text} as a rational number")));
        }
        assert_eq!(cpus("0.0000000001"), Err("value is too precise".to_owned()));
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words(r#"sh -c "a b" 'c "d' e\ f"#).unwrap(), ["sh", "-c", "a b", "c \"d", "e f"]);
        assert_eq!(words("''").unwrap(), [""]);
        assert!(words("sh 'a").is_err());
        assert_eq!(
            fields("a=1,\"b=2,3\",c"),
            [("a".into(), Some("1".into())), ("b".into(), Some("2,3".into())), ("c".into(), None)]
        );
    }
}
