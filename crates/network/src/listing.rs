//! The networks that every host has of its own, as users list them.
//!
//! In: the bridge, the sandboxes. Out: `bridge`, `host` and `none`, with ids that stay the same. It translates nothing to JSON.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

use crate::sandbox::{Mac, Sandbox};
use crate::subnet::Subnet;

/// One of the networks that every host has of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNetwork {
    /// 64 hexadecimal letters, the same after every start.
    pub id: String,
    /// `bridge`, `host` or `none`.
    pub name: &'static str,
    /// `bridge`, `host` or `null`.
    pub driver: &'static str,
    /// Its addresses, if it has any.
    pub subnet: Option<Subnet>,
    /// The address of its way out.
    pub gateway: Option<Ipv4Addr>,
    /// The driver's options, as users read them.
    pub options: BTreeMap<String, String>,
    /// The containers on it, by id.
    pub containers: BTreeMap<String, LocalEndpoint>,
}

/// One container's place in a local network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEndpoint {
    /// 64 hexadecimal letters.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its address and how many bits of it name the subnet.
    pub address: Option<(Ipv4Addr, u8)>,
}

/// The bridge as a network: what the listing needs to know of it.
pub(crate) struct BridgeFacts<'a> {
    pub(crate) machine: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subnet: Subnet,
}

/// All local networks, by name.
pub(crate) fn networks<'a>(
    facts: &BridgeFacts<'_>,
    sandboxes: impl Iterator<Item = &'a Sandbox>,
) -> Vec<LocalNetwork> {
    let (connected, lonely): (Vec<_>, Vec<_>) = sandboxes.partition(|sandbox| sandbox.interface.is_some());
    let bridge = bare(facts.machine, "bridge", "bridge");
    let none = bare(facts.machine, "none", "null");
    vec![
        LocalNetwork {
            subnet: Some(facts.subnet),
            gateway: Some(facts.subnet.gateway()),
            options: bridge_options(facts.name),
            containers: endpoints(&bridge.id, connected),
            ..bridge
        },
        bare(facts.machine, "host", "host"),
        LocalNetwork { containers: endpoints(&none.id, lonely), ..none },
    ]
}

/// The id of a container's place in a network.
pub fn endpoint_id(network: &str, container: &str) -> String {
    digest(&["endpoint", network, container])
}

/// The id of one of this machine's own networks.
pub fn network_id(machine: &str, name: &str) -> String {
    digest(&["network", machine, name])
}

fn bare(machine: &str, name: &'static str, driver: &'static str) -> LocalNetwork {
    LocalNetwork {
        id: network_id(machine, name),
        name,
        driver,
        subnet: None,
        gateway: None,
        options: BTreeMap::new(),
        containers: BTreeMap::new(),
    }
}

fn bridge_options(bridge: &str) -> BTreeMap<String, String> {
    let options = [
        ("com.docker.network.bridge.default_bridge", "true"),
        ("com.docker.network.bridge.enable_icc", "true"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
        ("com.docker.network.bridge.name", bridge),
        ("com.docker.network.driver.mtu", "1500"),
    ];
    options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn endpoints(network: &str, sandboxes: Vec<&Sandbox>) -> BTreeMap<String, LocalEndpoint> {
    let endpoint = |sandbox: &Sandbox| LocalEndpoint {
        id: endpoint_id(network, &sandbox.container),
        name: sandbox.spec.name.clone(),
        mac: sandbox.interface.map(|interface| interface.mac),
        address: sandbox.interface.map(|interface| (interface.address, interface.prefix)),
    };
    sandboxes.into_iter().map(|sandbox| (sandbox.container.clone(), endpoint(sandbox))).collect()
}

/// A text of 64 letters that only depends on the parts; the zero bytes keep `ab` `c` apart from `a` `bc`.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_local_networks_keep_their_ids() {
        let facts =
            BridgeFacts { machine: "m", name: "skep0", subnet: "172.17.0.0/16".parse().expect("a subnet") };
        let twice = [(); 2].map(|()| networks(&facts, std::iter::empty()));
        assert_eq!(twice[0], twice[1]);
        let names: Vec<_> = twice[0].iter().map(|network| (network.name, network.driver)).collect();
        assert_eq!(names, [("bridge", "bridge"), ("host", "host"), ("none", "null")]);
        assert!(twice[0].iter().all(|network| network.id.len() == 64));
    }
}
