//! Several compose files become one: later ones go over earlier ones.

use serde_json::Value;

/// By what an element of a list is known.
type Key = fn(&Value) -> String;

/// Lists of a service that later files add to, with the key by which an element is the same as one before.
const LISTS: [(&str, Key); 6] = [
    ("ports", whole),
    ("volumes", target),
    ("secrets", source),
    ("configs", source),
    ("environment", name),
    ("labels", name),
];

/// Puts a tree over another: maps grow together, and what is no map is replaced, but for lists that add up.
pub(super) fn over(base: &mut Value, next: Value) {
    put(base, next, "");
}

fn put(base: &mut Value, next: Value, key: &str) {
    match (base, next) {
        (Value::Object(base), Value::Object(next)) => {
            for (key, value) in next {
                match base.get_mut(&key) {
                    Some(old) => put(old, value, &key),
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (Value::Array(base), Value::Array(next)) => match LISTS.iter().find(|(list, _)| *list == key) {
            Some((_, same)) => {
                for element in next {
                    base.retain(|old| same(old) != same(&element));
                    base.push(element);
                }
            }
            None => *base = next,
        },
        (base, next) => *base = next,
    }
}

fn whole(value: &Value) -> String {
    value.to_string()
}

fn field(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// A volume is the same as another at the same place.
fn target(value: &Value) -> String {
    let short = |text: &str| text.split(':').nth(1).unwrap_or(text).to_owned();
    field(value, "target").or_else(|| value.as_str().map(short)).unwrap_or_default()
}

fn source(value: &Value) -> String {
    field(value, "source").or_else(|| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `NAME=VALUE`
fn name(value: &Value) -> String {
    value.as_str().and_then(|text| text.split('=').next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn later_files_go_over_earlier_ones() {
        let mut base = json!({"services": {"a": {"image": "x", "command": ["1"], "environment": ["A=1", "B=1"],
            "volumes": ["v:/v"], "deploy": {"replicas": 1, "labels": {"k": "v"}}}}});
        let next = json!({"services": {"a": {"command": ["2"], "environment": ["B=2"], "volumes": ["w:/v"],
            "deploy": {"replicas": 2}}, "b": {"image": "y"}}});
        over(&mut base, next);
        let expected = json!({"services": {"a": {"image": "x", "command": ["2"], "environment": ["A=1", "B=2"],
            "volumes": ["w:/v"], "deploy": {"replicas": 2, "labels": {"k": "v"}}}, "b": {"image": "y"}}});
        assert_eq!(base, expected);
    }
}
