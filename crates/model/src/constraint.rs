//! The grammar of placement constraints (`control.md` section 9).
//!
//! `key==value` or `key!=value`; values are compared without regard to case and have no patterns.

use crate::refusal::{Refusal, RefusalKind};

/// One constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// What is compared, such as `node.labels.zone`.
    pub key: String,
    /// Whether it must be so, or must not.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

/// Whether a constraint must hold or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Constraint {
    /// Reads one constraint. The refusals are of no kind, since that is what clients have come to expect.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |message: String| Err(Refusal::new(RefusalKind::Unknown, message));
        let split = |separator| text.split_once(separator);
        let (operator, (key, value)) = match (split("=="), split("!=")) {
            (Some(parts), _) => (Operator::Equal, parts),
            (None, Some(parts)) => (Operator::NotEqual, parts),
            (None, None) => return refuse("constraint expected one operator from ==, !=".to_owned()),
        };
        let (key, value) = (key.trim(), value.trim());
        if !is_key(key) {
            return refuse(format!("key '{key}' is invalid"));
        }
        if !is_value(value) {
            return refuse(format!("value '{value}' is invalid"));
        }
        Ok(Self { key: key.to_owned(), operator, value: value.to_owned() })
    }

    /// True if `actual`, the value of the key, satisfies the constraint.
    pub fn accepts(&self, actual: &str) -> bool {
        let equal = self.value.eq_ignore_ascii_case(actual);
        equal == (self.operator == Operator::Equal)
    }
}

/// A letter or `_`, then at least one of letters, digits, `-`, `_`, `.`.
fn is_key(key: &str) -> bool {
    let mut chars = key.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && key.len() > 1 && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_value(value: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":-_.*()?+[]\\^$|/".contains(c);
    !value.is_empty() && value.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_has_key_operator_and_value() {
        let parsed = Constraint::parse("node.labels.zone != North").unwrap();
        assert_eq!((parsed.key.as_str(), parsed.value.as_str()), ("node.labels.zone", "North"));
        assert!(!parsed.accepts("north"));
        assert!(parsed.accepts("south"));
    }

    #[test]
    fn a_wrong_constraint_is_refused_in_known_words() {
        for (text, message) in [
            ("node.role=manager", "constraint expected one operator from ==, !="),
            ("1x==a", "key '1x' is invalid"),
            ("node.role==", "value '' is invalid"),
            ("node.role==a,b", "value 'a,b' is invalid"),
        ] {
            assert_eq!(Constraint::parse(text).unwrap_err().message, message);
        }
    }
}
