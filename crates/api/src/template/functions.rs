//! The functions of templates: Go's own, and those that docker's CLI adds.

use std::cmp::Ordering;

use serde_json::Value;

use super::TemplateError;

const KNOWN: [&str; 26] = [
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "html",
    "urlquery",
    "json",
    "split",
    "join",
    "title",
    "lower",
    "upper",
    "pad",
    "truncate",
    "trimprefix",
];

/// True if there is such a function.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Calls a function.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Result<Value, TemplateError> {
    let wrong = || TemplateError::new(format!("error calling {name}: wrong number or kind of arguments"));
    let text = |at: usize| arguments.get(at).and_then(Value::as_str).ok_or_else(wrong);
    Ok(match name {
        "and" => pick(&arguments, |value| !is_true(value)).ok_or_else(wrong)?,
        "or" => pick(&arguments, is_true).ok_or_else(wrong)?,
        "not" => Value::Bool(!is_true(arguments.first().ok_or_else(wrong)?)),
        "len" => Value::from(length(arguments.first().ok_or_else(wrong)?).ok_or_else(wrong)?),
        "index" => index(&arguments).ok_or_else(wrong)?,
        "slice" => slice(&arguments).ok_or_else(wrong)?,
        "print" => Value::String(arguments.iter().map(shown).collect()),
        "println" => Value::String(words(&arguments) + "\n"),
        "printf" => Value::String(printf(text(0)?, &arguments[1..])),
        "eq" => {
            let (first, others) = arguments.split_first().ok_or_else(wrong)?;
            Value::Bool(others.iter().any(|other| equal(first, other)))
        }
        "ne" => {
            Value::Bool(!equal(arguments.first().ok_or_else(wrong)?, arguments.get(1).ok_or_else(wrong)?))
        }
        "lt" => Value::Bool(compare(&arguments).ok_or_else(wrong)?.is_lt()),
        "le" => Value::Bool(compare(&arguments).ok_or_else(wrong)?.is_le()),
        "gt" => Value::Bool(compare(&arguments).ok_or_else(wrong)?.is_gt()),
        "ge" => Value::Bool(compare(&arguments).ok_or_else(wrong)?.is_ge()),
        "html" | "urlquery" => Value::String(shown(arguments.first().ok_or_else(wrong)?)),
        "json" => Value::String(arguments.first().ok_or_else(wrong)?.to_string()),
        "split" => Value::from(text(0)?.split(text(1)?).collect::<Vec<_>>()),
        "join" => join(&arguments).ok_or_else(wrong)?,
        "title" => Value::String(title(text(0)?)),
        "lower" => Value::String(text(0)?.to_lowercase()),
        "upper" => Value::String(text(0)?.to_uppercase()),
        "pad" => pad(&arguments).ok_or_else(wrong)?,
        "truncate" => {
            let length = arguments.get(1).and_then(Value::as_u64).ok_or_else(wrong)?;
            Value::String(text(0)?.chars().take(usize::try_from(length).unwrap_or(usize::MAX)).collect())
        }
        "trimprefix" => Value::String(text(1)?.strip_prefix(text(0)?).unwrap_or(text(1)?).to_owned()),
        _ => return Err(TemplateError::new(format!("function {name:?} not defined"))),
    })
}

/// How a value shows in text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", words(values)),
        Value::Object(map) => {
            let mut pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", shown(value))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// False for zero, empty and absent values.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// What Go calls such a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// The text with a capital letter at the start of each word.
pub fn title(text: &str) -> String {
    let mut at_start = true;
    let capital = |c: char| {
        let starts = std::mem::replace(&mut at_start, !c.is_alphanumeric());
        if starts { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(capital).collect()
}

/// The first argument that fits, else the last.
fn pick(arguments: &[Value], fits: impl Fn(&Value) -> bool) -> Option<Value> {
    arguments.iter().find(|value| fits(value)).or(arguments.last()).cloned()
}

fn words(values: &[Value]) -> String {
    values.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        Value::Array(values) => Some(values.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

fn index(arguments: &[Value]) -> Option<Value> {
    let (start, keys) = arguments.split_first()?;
    keys.iter().try_fold(start.clone(), |value, key| match (value, key) {
        (Value::Object(mut map), Value::String(key)) => Some(map.shift_remove(key).unwrap_or_default()),
        (Value::Array(values), Value::Number(at)) => values.get(usize::try_from(at.as_u64()?).ok()?).cloned(),
        (Value::String(text), Value::Number(at)) => {
            Some(Value::from(*text.as_bytes().get(usize::try_from(at.as_u64()?).ok()?)?))
        }
        _ => None,
    })
}

fn slice(arguments: &[Value]) -> Option<Value> {
    let bound =
        |at: usize| arguments.get(at).map(|value| value.as_u64().and_then(|at| usize::try_from(at).ok()));
    let from = bound(1).unwrap_or(Some(0))?;
    match arguments.first()? {
        Value::String(text) => {
            let to = bound(2).unwrap_or(Some(text.len()))?;
            Some(Value::from(text.get(from..to)?))
        }
        Value::Array(values) => {
            let to = bound(2).unwrap_or(Some(values.len()))?;
            Some(Value::from(values.get(from..to)?.to_vec()))
        }
        _ => None,
    }
}

/// `join list separator`, as docker's CLI has it, or `join separator items…`, as services have it.
fn join(arguments: &[Value]) -> Option<Value> {
    match arguments {
        [Value::Array(values), Value::String(separator)] => {
            Some(Value::String(values.iter().map(shown).collect::<Vec<_>>().join(separator)))
        }
        [Value::String(separator), items @ ..] => {
            Some(Value::String(items.iter().map(shown).collect::<Vec<_>>().join(separator)))
        }
        _ => None,
    }
}

/// Spaces before and after a text that is not empty.
fn pad(arguments: &[Value]) -> Option<Value> {
    let [Value::String(text), before, after] = arguments else { return None };
    let spaces = |count: &Value| Some(" ".repeat(usize::try_from(count.as_u64()?).ok()?.min(1000)));
    let padded =
        if text.is_empty() { String::new() } else { format!("{}{text}{}", spaces(before)?, spaces(after)?) };
    Some(Value::String(padded))
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn compare(arguments: &[Value]) -> Option<Ordering> {
    match arguments {
        [Value::String(one), Value::String(other)] => Some(one.cmp(other)),
        [one, other] => one.as_f64()?.partial_cmp(&other.as_f64()?),
        _ => None,
    }
}

/// The verbs `%s %v %d %q %t %%`, with width and `-`; others show the value as it is.
fn printf(format: &str, arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(rest.len());
        let flags = &rest[..end];
        let verb = rest[end..].chars().next().unwrap_or('%');
        rest = &rest[(end + verb.len_utf8()).min(rest.len())..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = arguments.next().cloned().unwrap_or_default();
        let text = if verb == 'q' { format!("{:?}", shown(&value)) } else { shown(&value) };
        let width: usize =
            flags.trim_start_matches(['-', '0']).split('.').next().unwrap_or("").parse().unwrap_or(0);
        let width = width.min(1000);
        if flags.starts_with('-') {
            out.push_str(&format!("{text:<width$}"));
        } else {
            out.push_str(&format!("{text:>width$}"));
        }
    }
    out.push_str(rest);
    out
}
