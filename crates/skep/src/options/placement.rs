//! `--placement-pref`: `spread=node.labels.zone`.

use std::str::FromStr;

use api::spec::placement::{PlacementPreference, SpreadOver};

/// One preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preference(pub(crate) String);

impl FromStr for Preference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("spread", descriptor)) => Ok(Self(descriptor.to_owned())),
            Some((other, _)) => {
                Err(format!("unsupported placement preference {other} (only spread is supported)"))
            }
            None => Err("placement preference must be of the format \"<strategy>=<arg>\"".to_owned()),
        }
    }
}

impl From<Preference> for PlacementPreference {
    fn from(Preference(spread_descriptor): Preference) -> Self {
        Self { spread: Some(SpreadOver { spread_descriptor }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_can_only_be_spread() {
        assert_eq!("spread=node.labels.x".parse(), Ok(Preference("node.labels.x".to_owned())));
        for (text, rule) in [
            ("foo=1", "unsupported placement preference foo (only spread is supported)"),
            ("x", "placement preference must be of the format \"<strategy>=<arg>\""),
        ] {
            assert_eq!(text.parse::<Preference>().unwrap_err(), rule, "{text}");
        }
    }
}
