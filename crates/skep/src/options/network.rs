//! `--network`: a name, or fields such as `name=back,alias=db,driver-opt=key=value`.

use std::str::FromStr;

use api::spec::endpoint::NetworkAttachmentConfig;

use super::values::{fields, pair};

/// A network to join; its target is still a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) NetworkAttachmentConfig);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut network = NetworkAttachmentConfig::default();
        if !text.contains('=') {
            text.clone_into(&mut network.target);
            return Ok(Self(network));
        }
        for (key, value) in fields(text) {
            let Some(value) = value else { return Err(format!("invalid field {key}")) };
            match key.as_str() {
                "name" => network.target = value,
                "alias" => network.aliases.push(value),
                "driver-opt" => network.driver_opts.extend([pair(&value)]),
                // Read as for containers; no service can wish them.
                "ip" | "ip6" | "mac-address" | "link-local-ip" | "gw-priority" => {}
                _ => return Err(format!("invalid field key {key}")),
            }
        }
        if network.target.is_empty() {
            return Err("network name/id is not specified".to_owned());
        }
        Ok(Self(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_named_short_or_long() {
        let Network(long) = "name=back,alias=a,alias=b,driver-opt=k=v".parse().unwrap();
        assert_eq!((long.target.as_str(), long.aliases), ("back", vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(long.driver_opts["k"], "v");
        assert_eq!("back".parse::<Network>().unwrap().0.target, "back");
        for (text, rule) in [
            ("foo=bar,name=x", "invalid field key foo"),
            ("alias=x", "network name/id is not specified"),
            ("name=x,y", "invalid field y"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err(), rule, "{text}");
        }
    }
}
