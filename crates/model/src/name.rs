//! The grammar of names (`control.md` section 11).

use crate::limits::{NAME_LENGTH_MAX, SECRET_NAME_LENGTH_MAX};
use crate::refusal::Refusal;

/// Judges the name of a service or network: a DNS label of at most 63 letters.
pub fn check_dns(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid("meta: name must be provided"));
    }
    if !is_dns_label(name) {
        return Err(Refusal::invalid("name must be valid as a DNS name component"));
    }
    if name.len() > NAME_LENGTH_MAX {
        return Err(Refusal::invalid("name must be 63 characters or fewer"));
    }
    Ok(())
}

/// Judges the name of a secret or config.
pub fn check_secret(name: &str) -> Result<(), Refusal> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good =
        name.len() <= SECRET_NAME_LENGTH_MAX && bounded_by_alphanumerics(name) && name.chars().all(inner);
    if good {
        return Ok(());
    }
    Err(Refusal::invalid(
        "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
    ))
}

fn is_dns_label(name: &str) -> bool {
    bounded_by_alphanumerics(name)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn bounded_by_alphanumerics(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(name.as_bytes().first()) && edge(name.as_bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_dns_labels() {
        for good in ["a", "web", "My-Service_2", "9", &"x".repeat(63)] {
            assert_eq!(check_dns(good), Ok(()), "{good}");
        }
        for bad in ["-a", "a-", "a.b", "ä", "a b", "a/b", &"x".repeat(64)] {
            assert!(check_dns(bad).is_err(), "{bad}");
        }
        assert_eq!(check_dns("").unwrap_err().message, "meta: name must be provided");
    }

    #[test]
    fn names_of_secrets_may_have_dots() {
        for good in ["a", "db.password", "A-1_b", &"x".repeat(64)] {
            assert_eq!(check_secret(good), Ok(()), "{good}");
        }
        for bad in ["", ".a", "a.", "a b", &"x".repeat(65)] {
            assert!(check_secret(bad).is_err(), "{bad}");
        }
    }
}
