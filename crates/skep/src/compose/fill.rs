//! `${NAME}` in texts of a compose file: the person's variables take their places.

use anyhow::{Result, bail};
use serde_json::Value;

/// Looks a variable up.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills every text of a tree; keys stay as they are. `path` names the place in failures.
pub(super) fn tree(value: &mut Value, path: &str, lookup: Lookup<'_>) -> Result<()> {
    match value {
        Value::String(text) if text.contains('$') => {
            *value = Value::String(fill(text, lookup).map_err(|error| {
                anyhow::anyhow!("invalid interpolation format for {path}: {text:?}: {error}")
            })?);
        }
        Value::Array(list) => {
            for (at, element) in list.iter_mut().enumerate() {
                tree(element, &format!("{path}[{at}]"), lookup)?;
            }
        }
        Value::Object(map) => {
            for (key, element) in map.iter_mut() {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                tree(element, &path, lookup)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME-else}`, `${NAME:?why}`, `${NAME?why}`, `${NAME:+other}`,
/// `${NAME+other}`; `$$` is a dollar. With the colon an empty value counts as none.
fn fill(text: &str, lookup: Lookup<'_>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = closing(after)?;
            filled.push_str(&braced(&after[..end], lookup)?);
            rest = &after[end + 1..];
        } else {
            let end = name_end(after);
            if end == 0 {
                bail!("a dollar stands alone; write $$");
            }
            filled.push_str(&lookup(&after[..end]).unwrap_or_default());
            rest = &after[end..];
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where the brace closes that is open already.
fn closing(text: &str) -> Result<usize> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    bail!("a brace is not closed")
}

fn name_end(text: &str) -> usize {
    let is_name = |(at, letter): (usize, char)| {
        letter == '_' || letter.is_ascii_alphabetic() || at > 0 && letter.is_ascii_digit()
    };
    text.char_indices().find(|pair| !is_name(*pair)).map_or(text.len(), |(at, _)| at)
}

fn braced(inner: &str, lookup: Lookup<'_>) -> Result<String> {
    let (name, rest) = inner.split_at(name_end(inner));
    if name.is_empty() {
        bail!("a variable has no name");
    }
    let needs_text = rest.starts_with(':');
    let value = lookup(name).filter(|value| !needs_text || !value.is_empty());
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let mut letters = rest.chars();
    match (letters.next(), value) {
        (None, value) if !needs_text => Ok(value.unwrap_or_default()),
        (Some('-' | '?'), Some(value)) => Ok(value),
        (Some('-'), None) => fill(letters.as_str(), lookup),
        (Some('?'), None) => bail!("required variable {name} is missing a value: {}", letters.as_str()),
        (Some('+'), Some(_)) => fill(letters.as_str(), lookup),
        (Some('+'), None) => Ok(String::new()),
        _ => bail!("{inner:?} is no form of a variable"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_take_their_places() {
        for (text, expected) in [
            ("$A/${A}", "a/a"),
            ("$$A", "$A"),
            ("${NO}-", "-"),
            ("${NO:-x}${EMPTY:-y}${EMPTY-z}", "xy"),
            ("${NO:-${A}}", "a"),
            ("${A:+yes}${NO:+no}", "yes"),
            ("${A:?why}", "a"),
        ] {
            assert_eq!(fill(text, &lookup).unwrap(), expected, "{text}");
        }
        for (text, rule) in [
            ("${NO:?tell me}", "required variable NO is missing a value: tell me"),
            ("${A", "a brace is not closed"),
            ("${}", "a variable has no name"),
            ("${A!}", "\"A!\" is no form of a variable"),
            ("5$", "a dollar stands alone; write $$"),
        ] {
            assert_eq!(fill(text, &lookup).unwrap_err().to_string(), rule, "{text}");
        }
    }

    #[test]
    fn a_failure_names_its_place() {
        let mut value = serde_json::json!({"services": {"web": {"command": ["x", "${A"]}}});
        let error = tree(&mut value, "", &lookup).unwrap_err().to_string();
        assert!(error.starts_with("invalid interpolation format for services.web.command[1]: "), "{error}");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".*") {
            let _ = fill(&text, &lookup);
        }
    }
}
