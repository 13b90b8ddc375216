//! `?filters=…`: which objects a list shall hold.
//!
//! Two forms are spoken: `{"name":["a","b"]}` and, as newer clients write it, `{"name":{"a":true,"b":true}}`.

use std::collections::{BTreeMap, BTreeSet};

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Filters by their keys. Values of one key are alternatives (labels: all must hold); keys all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, BTreeSet<String>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    List(Vec<String>),
    Set(BTreeMap<String, bool>),
}

impl Values {
    /// A value that is set to false is none.
    fn into_set(self) -> BTreeSet<String> {
        match self {
            Self::List(list) => list.into_iter().collect(),
            Self::Set(set) => set.into_iter().filter_map(|(value, wished)| wished.then_some(value)).collect(),
        }
    }
}

impl Filters {
    /// Reads the query's value and refuses keys that the list does not know.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, ApiError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let read: BTreeMap<String, Values> = serde_json::from_str(text)
            .map_err(|_| ApiError::invalid(format!("invalid filters: {text:?} is no map of lists")))?;
        if let Some(unknown) = read.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(ApiError::invalid(format!("invalid filter '{unknown}'")));
        }
        Ok(Self(read.into_iter().map(|(key, values)| (key, values.into_set())).collect()))
    }

    /// Adds one filter.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().insert(value.into());
    }

    /// The query's value, in the newer form; empty without filters.
    pub fn to_query(&self) -> String {
        #[derive(Serialize)]
        #[serde(transparent)]
        struct Query<'a>(BTreeMap<&'a str, BTreeMap<&'a str, bool>>);
        if self.0.is_empty() {
            return String::new();
        }
        let newer = self
            .0
            .iter()
            .map(|(key, values)| (key.as_str(), values.iter().map(|value| (value.as_str(), true)).collect()));
        let query = Query(newer.collect());
        serde_json::to_string(&query).expect("texts and truths are JSON")
    }

    /// True without filters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys in use.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// True if the key is in use.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The values of a key.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// The only value of a key that takes one.
    pub fn one(&self, key: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.values(key);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => {
                Err(ApiError::invalid(format!("invalid filter '{key}': only one value is allowed")))
            }
        }
    }

    /// A key that is true or false.
    pub fn truth(&self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.one(key)? {
            None => Ok(None),
            Some("true" | "1" | "True" | "TRUE" | "t" | "T") => Ok(Some(true)),
            Some("false" | "0" | "False" | "FALSE" | "f" | "F") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid(format!("invalid filter '{key}=[{other}]'"))),
        }
    }

    /// True if the key is not in use, or one of its values satisfies the test.
    pub fn any(&self, key: &str, mut test: impl FnMut(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.is_empty() || values.iter().any(|value| test(value)))
    }

    /// True if the key is not in use, or `text` is one of its values.
    pub fn exact(&self, key: &str, text: &str) -> bool {
        self.any(key, |value| value == text)
    }

    /// True if the key is not in use, or `text` begins with one of its values.
    pub fn prefix(&self, key: &str, text: &str) -> bool {
        self.any(key, |value| text.starts_with(value))
    }

    /// True if all the label filters of the key hold: `name`, or `name=value`. An empty value matches any.
    pub fn labels(&self, key: &str, labels: &Labels) -> bool {
        self.values(key).all(|wish| match wish.split_once('=') {
            None | Some((_, "")) => labels.contains_key(wish.trim_end_matches('=')),
            Some((name, value)) => labels.get(name).is_some_and(|actual| actual == value),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_mean_the_same() {
        let old = Filters::parse(r#"{"name":["b","a"]}"#, &["name"]).unwrap();
        let new = Filters::parse(r#"{"name":{"a":true,"b":true}}"#, &["name"]).unwrap();
        assert_eq!(old, new);
        assert_eq!(new.to_query(), r#"{"name":{"a":true,"b":true}}"#);
    }

    #[test]
    fn unknown_filters_are_refused() {
        let refused = Filters::parse(r#"{"foo":["x"]}"#, &["name"]).unwrap_err();
        assert_eq!(refused, ApiError::invalid("invalid filter 'foo'"));
        assert!(Filters::parse("x", &[]).is_err());
    }

    #[test]
    fn labels_must_all_hold() {
        let filters = Filters::parse(r#"{"label":["a","b=1"]}"#, &["label"]).unwrap();
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Labels>()
        };
        assert!(filters.labels("label", &labels(&[("a", "x"), ("b", "1")])));
        assert!(!filters.labels("label", &labels(&[("a", "x"), ("b", "2")])));
        assert!(!filters.labels("label", &labels(&[("b", "1")])));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".*") {
            let _ = Filters::parse(&text, &["name"]);
        }
    }
}
