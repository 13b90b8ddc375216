//! `skep network create`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Result, bail};
use api::network::{ConfigReference, Ipam, IpamConfig, NetworkCreate, NetworkCreated};
use clap::Args;

use crate::options::values::{pair, pairs};
use crate::session::Session;

/// Make a network
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep network create --driver overlay --attachable back\n  \
                        skep network create --subnet 10.7.0.0/24 --gateway 10.7.0.1 front")]
pub(crate) struct Create {
    /// Its name
    #[arg(value_name = "NETWORK")]
    network: String,
    /// Containers that belong to no service may join it
    #[arg(long)]
    attachable: bool,
    /// An address that is never given to anybody, NAME=IP
    #[arg(long, value_name = "PAIR")]
    aux_address: Vec<String>,
    /// Take over the settings of this network
    #[arg(long, value_name = "NETWORK")]
    config_from: Option<String>,
    /// It only lends its settings to others
    #[arg(long)]
    config_only: bool,
    /// Which kind: bridge, overlay
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// The way out of a subnet
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    gateway: Vec<String>,
    /// It is the network of the routing mesh
    #[arg(long)]
    ingress: bool,
    /// It has no way out
    #[arg(long)]
    internal: bool,
    /// The part of a subnet that addresses are given from, CIDR
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    ip_range: Vec<String>,
    /// Who gives addresses
    #[arg(long, value_name = "DRIVER", default_value = "default")]
    ipam_driver: String,
    /// An option of who gives addresses, KEY=VALUE
    #[arg(long, value_name = "OPTION")]
    ipam_opt: Vec<String>,
    /// Whether it carries IPv4
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ipv4: Option<bool>,
    /// Whether it carries IPv6
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ipv6: Option<bool>,
    /// A label, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// An option of the driver, KEY=VALUE
    #[arg(short, long, value_name = "OPTION")]
    opt: Vec<String>,
    /// How far it reaches: local, swarm
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    scope: String,
    /// Where its addresses are from, CIDR
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    subnet: Vec<String>,
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let aux: Vec<(String, String)> = self.aux_address.iter().map(|word| pair(word)).collect();
        let config = subnets(&self.subnet, &self.ip_range, &self.gateway, &aux)?;
        let wish = NetworkCreate {
            name: self.network,
            driver: self.driver,
            scope: self.scope,
            enable_ipv4: self.ipv4,
            enable_ipv6: self.ipv6,
            ipam: Some(Ipam { driver: self.ipam_driver, options: pairs(&self.ipam_opt), config }),
            internal: self.internal,
            attachable: self.attachable,
            ingress: self.ingress,
            config_only: self.config_only,
            config_from: self.config_from.map(|network| ConfigReference { network }),
            options: pairs(&self.opt),
            labels: pairs(&self.label),
            ..NetworkCreate::default()
        };
        let made: NetworkCreated = session.client.post("/networks/create", &wish).await?;
        if !made.warning.is_empty() {
            eprintln!("WARNING: {}", made.warning);
        }
        session.line(made.id)
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cidr {
    base: IpAddr,
    bits: u32,
}

impl Cidr {
    fn parse(text: &str) -> Result<Self> {
        let refuse = || anyhow::anyhow!("invalid CIDR address: {text}");
        let (base, bits) = text.split_once('/').ok_or_else(refuse)?;
        let base: IpAddr = base.parse().map_err(|_| refuse())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        match bits.parse() {
            Ok(bits) if bits <= most => Ok(Self { base, bits }),
            _ => Err(refuse()),
        }
    }

    fn holds(self, address: IpAddr) -> bool {
        let (own, other) = (number(self.base), number(address));
        let width = if self.base.is_ipv4() { 32 } else { 128 };
        let shift = width - self.bits;
        self.base.is_ipv4() == address.is_ipv4()
            && (shift == 128 || own.checked_shr(shift) == other.checked_shr(shift))
    }

    fn overlaps(self, other: Self) -> bool {
        self.holds(other.base) || other.holds(self.base)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// One entry for each subnet, with the range, the way out and the addresses that lie in it.
fn subnets(
    subnets: &[String],
    ranges: &[String],
    gateways: &[String],
    aux: &[(String, String)],
) -> Result<Vec<IpamConfig>> {
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        bail!("every ip-range or gateway must have a corresponding subnet");
    }
    let mut all: Vec<(Cidr, IpamConfig)> = Vec::new();
    for subnet in subnets {
        let cidr = Cidr::parse(subnet)?;
        if all.iter().any(|(other, _)| cidr.overlaps(*other)) {
            bail!("multiple overlapping subnet configuration is not supported");
        }
        all.push((cidr, IpamConfig { subnet: subnet.clone(), ..IpamConfig::default() }));
    }
    for range in ranges {
        let place = find(&mut all, Cidr::parse(range)?.base, "ip-range", range)?;
        if !place.ip_range.is_empty() {
            bail!(
                "cannot configure multiple ranges ({range}, {}) on the same subnet ({})",
                place.ip_range,
                place.subnet
            );
        }
        place.ip_range.clone_from(range);
    }
    for gateway in gateways {
        let place = find(&mut all, address(gateway, "gateway")?, "gateway", gateway)?;
        if !place.gateway.is_empty() {
            bail!(
                "cannot configure multiple gateways ({gateway}, {}) for the same subnet ({})",
                place.gateway,
                place.subnet
            );
        }
        place.gateway.clone_from(gateway);
    }
    for (name, value) in aux {
        let place = find(&mut all, address(value, "aux-address")?, "aux-address", value)?;
        place.auxiliary_addresses.extend(BTreeMap::from([(name.clone(), value.clone())]));
    }
    Ok(all.into_iter().map(|(_, config)| config).collect())
}

fn address(text: &str, what: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| anyhow::anyhow!("no matching subnet for {what} {text}"))
}

fn find<'a>(
    all: &'a mut [(Cidr, IpamConfig)],
    address: IpAddr,
    what: &str,
    text: &str,
) -> Result<&'a mut IpamConfig> {
    let found = all.iter_mut().find(|(cidr, _)| cidr.holds(address));
    found.map(|(_, config)| config).ok_or_else(|| anyhow::anyhow!("no matching subnet for {what} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        given: &[&str],
        ranges: &[&str],
        gateways: &[&str],
        aux: &[(&str, &str)],
    ) -> Result<Vec<IpamConfig>> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let aux: Vec<_> = aux.iter().map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned())).collect();
        subnets(&own(given), &own(ranges), &own(gateways), &aux)
    }

    #[test]
    fn addresses_find_their_subnet() {
        let all = read(
            &["10.1.0.0/16", "fd00::/64"],
            &["10.1.5.0/24"],
            &["fd00::1", "10.1.0.1"],
            &[("router", "10.1.0.2")],
        )
        .unwrap();
        assert_eq!((all[0].ip_range.as_str(), all[0].gateway.as_str()), ("10.1.5.0/24", "10.1.0.1"));
        assert_eq!(all[0].auxiliary_addresses["router"], "10.1.0.2");
        assert_eq!(all[1].gateway, "fd00::1");
    }

    #[test]
    fn bad_words_name_the_rule() {
        let rule = |read: Result<Vec<IpamConfig>>| read.unwrap_err().to_string();
        assert_eq!(rule(read(&["foo"], &[], &[], &[])), "invalid CIDR address: foo");
        assert_eq!(rule(read(&["10.0.0.0/33"], &[], &[], &[])), "invalid CIDR address: 10.0.0.0/33");
        assert_eq!(
            rule(read(&["10.0.0.0/8", "10.0.0.0/9"], &[], &[], &[])),
            "multiple overlapping subnet configuration is not supported"
        );
        assert_eq!(
            rule(read(&[], &[], &["1.2.3.4"], &[])),
            "every ip-range or gateway must have a corresponding subnet"
        );
        assert_eq!(
            rule(read(&["10.0.0.0/8"], &[], &["1.2.3.4"], &[])),
            "no matching subnet for gateway 1.2.3.4"
        );
        assert_eq!(rule(read(&["0.0.0.0/0"], &[], &["::1"], &[])), "no matching subnet for gateway ::1");
        assert_eq!(rule(read(&[], &[], &[], &[("a", "b")])), "no matching subnet for aux-address b");
    }
}
