//! `--restart`: whether a container is started again when it ends.

use std::str::FromStr;

use api::host_config::RestartPolicy;

/// A policy, as its word says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyWord(pub(crate) RestartPolicy);

impl FromStr for PolicyWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => (name, Some(count)),
            None => (text, None),
        };
        if !matches!(name, "" | "no" | "always" | "unless-stopped" | "on-failure") {
            return Err(format!(
                "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            ));
        }
        let maximum_retry_count = match count {
            None => 0,
            Some(_) if name != "on-failure" => {
                return Err("invalid restart policy: maximum retry count can only be used with 'on-failure'"
                    .to_owned());
            }
            Some(count) => count.parse().map_err(|_| {
                "invalid restart policy format: maximum retry count must be an integer".to_owned()
            })?,
        };
        Ok(Self(RestartPolicy { name: name.to_owned(), maximum_retry_count }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_of_four() {
        for (text, expected) in
            [("no", ("no", 0)), ("always", ("always", 0)), ("on-failure:3", ("on-failure", 3))]
        {
            let PolicyWord(policy) = text.parse().unwrap();
            assert_eq!((policy.name.as_str(), policy.maximum_retry_count), expected);
        }
        for (text, rule) in [
            ("foo", "unknown policy 'foo'"),
            ("always:3", "maximum retry count can only be used with 'on-failure'"),
            ("on-failure:x", "maximum retry count must be an integer"),
        ] {
            assert!(text.parse::<PolicyWord>().unwrap_err().contains(rule), "{text}");
        }
    }
}
