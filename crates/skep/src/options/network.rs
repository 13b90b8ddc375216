//! `--network`: a name, or fields such as `name=back,alias=db,driver-opt=key=value`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Result, bail};
use api::container::{EndpointIpam, EndpointSettings};
use api::spec::endpoint::NetworkAttachmentConfig;

use super::values::{fields, pair};

/// A network to join; its target is still a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    name: String,
    aliases: Vec<String>,
    driver_opts: BTreeMap<String, String>,
    ipv4: String,
    ipv6: String,
    mac_address: String,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut network = Self::default();
        if !text.contains('=') {
            text.clone_into(&mut network.name);
            return Ok(network);
        }
        for (key, value) in fields(text) {
            let Some(value) = value else { return Err(format!("invalid field {key}")) };
            match key.as_str() {
                "name" => network.name = value,
                "alias" => network.aliases.push(value),
                "driver-opt" => network.driver_opts.extend([pair(&value)]),
                "ip" => network.ipv4 = value,
                "ip6" => network.ipv6 = value,
                "mac-address" => network.mac_address = value,
                // Read as by docker's CLI; nobody here can wish them.
                "link-local-ip" | "gw-priority" => {}
                _ => return Err(format!("invalid field key {key}")),
            }
        }
        if network.name.is_empty() {
            return Err("network name/id is not specified".to_owned());
        }
        Ok(network)
    }
}

impl Network {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As services join it: they cannot wish addresses.
    pub(crate) fn attachment(self) -> NetworkAttachmentConfig {
        let Self { name: target, aliases, driver_opts, .. } = self;
        NetworkAttachmentConfig { target, aliases, driver_opts }
    }

    /// As containers join it.
    pub(crate) fn endpoint(self) -> Result<EndpointSettings> {
        let Self { name: _, aliases, driver_opts, ipv4, ipv6, mac_address } = self;
        for ip in [&ipv4, &ipv6] {
            if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
                bail!("invalid IP address: {ip}");
            }
        }
        let ipam = EndpointIpam { ipv4_address: ipv4, ipv6_address: ipv6 };
        Ok(EndpointSettings {
            ipam_config: Some(ipam).filter(|ipam| *ipam != EndpointIpam::default()),
            aliases,
            driver_opts,
            mac_address,
            ..EndpointSettings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_named_short_or_long() {
        let long: Network = "name=back,alias=a,alias=b,driver-opt=k=v,ip=1.2.3.4".parse().unwrap();
        assert_eq!((long.name(), &long.aliases), ("back", &vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(long.clone().endpoint().unwrap().ipam_config.unwrap().ipv4_address, "1.2.3.4");
        assert_eq!(long.attachment().driver_opts["k"], "v");
        assert_eq!("back".parse::<Network>().unwrap().name(), "back");
        let wrong = "name=a,ip=x".parse::<Network>().unwrap().endpoint();
        assert_eq!(wrong.unwrap_err().to_string(), "invalid IP address: x");
        for (text, rule) in [
            ("foo=bar,name=x", "invalid field key foo"),
            ("alias=x", "network name/id is not specified"),
            ("name=x,y", "invalid field y"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err(), rule, "{text}");
        }
    }
}
