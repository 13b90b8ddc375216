//! `--host` and `--add-host`: one more name for an address.

/// A name and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostEntry {
    name: String,
    address: String,
}

impl HostEntry {
    /// As the hosts file has it: address, then name.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.address, self.name)
    }

    /// As a container's wish has it: `name:address`.
    pub(crate) fn pair(&self) -> String {
        format!("{}:{}", self.name, self.address)
    }
}

/// Reads `name:address`, also `name=address`.
pub(crate) fn host(text: &str) -> Result<HostEntry, String> {
    let refuse = || format!("bad format for add-host: \"{text}\"");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(refuse)?;
    if name.is_empty() {
        return Err(refuse());
    }
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_err() && address != "host-gateway" {
        return Err(format!("invalid IP address in add-host: \"{address}\""));
    }
    Ok(HostEntry { name: name.to_owned(), address: bare.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_address() {
        for (text, line) in [("h:::1", "::1 h"), ("h=[::1]", "::1 h"), ("h:host-gateway", "host-gateway h")] {
            assert_eq!(host(text).unwrap().line(), line, "{text}");
        }
        assert_eq!(host("h=1.2.3.4").unwrap().pair(), "h:1.2.3.4");
        for (text, rule) in [
            ("foo", "bad format for add-host: \"foo\""),
            (":1.2.3.4", "bad format for add-host: \":1.2.3.4\""),
            ("a:b", "invalid IP address in add-host: \"b\""),
        ] {
            assert_eq!(host(text).unwrap_err(), rule, "{text}");
        }
    }
}
