//! Networks get their driver, subnets, gateways and VXLAN ids.

use model::network::{AddressFamily, IpamConfig, IpamOptions, OVERLAY};
use model::{Cluster, Driver, Network, NetworkId};
use store::Draft;

use super::Pools;
use super::cidr::Cidr;
use super::vxlan;

/// Looks at each network that is new. One that cannot be given what it wishes is looked at again when something
/// was freed.
pub(super) fn run(draft: &mut Draft, pools: &mut Pools) {
    let cluster = draft.cluster().cloned();
    for id in std::mem::take(&mut pools.waiting.networks) {
        let Some(network) = draft.networks.get(id).filter(|network| network.driver_state.is_none()) else {
            continue;
        };
        let mut network = Network::clone(network);
        if allocate(&mut network, pools, cluster.as_deref()).is_some() {
            note(pools, id, &network);
            draft.update(network);
        } else {
            pools.waiting.lacking.networks.insert(id);
        }
    }
}

fn note(pools: &mut Pools, id: NetworkId, network: &Network) {
    pools.subnets.note(id, Some(network));
    pools.vxlan.note(id, Some(network));
    pools.addresses.note_network(id, Some(network));
    pools.waiting.freed = true;
}

fn allocate(network: &mut Network, pools: &mut Pools, cluster: Option<&Cluster>) -> Option<()> {
    let mut driver = network.spec.driver_config.clone().unwrap_or_default();
    if driver.name.is_empty() {
        OVERLAY.clone_into(&mut driver.name);
    }
    if network.is_node_local() {
        let name = driver.name;
        network.driver_state = Some(Driver { name, ..Driver::default() });
        return Some(());
    }
    let ipam = ipam(network, pools, cluster)?;
    if driver.name == OVERLAY {
        let ids = vxlan_ids(&driver, &ipam, pools)?;
        driver.options.insert(vxlan::OPTION.to_owned(), ids);
    }
    network.ipam = Some(ipam);
    network.driver_state = Some(driver);
    Some(())
}

/// The wished subnets, or one that is free, each with its gateway.
fn ipam(network: &Network, pools: &mut Pools, cluster: Option<&Cluster>) -> Option<IpamOptions> {
    let mut ipam = network.spec.ipam.clone().unwrap_or_default();
    ipam.driver.get_or_insert_with(|| Driver { name: "default".to_owned(), ..Driver::default() });
    if ipam.configs.is_empty() {
        ipam.configs.push(IpamConfig { family: AddressFamily::Ipv4, ..IpamConfig::default() });
    }
    for config in &mut ipam.configs {
        let subnet: Cidr = if config.subnet.is_empty() {
            pools.subnets.free(cluster)?
        } else {
            config.subnet.parse().ok().filter(|subnet| pools.subnets.is_free(*subnet))?
        };
        config.subnet = Cidr { address: subnet.first(), prefix: subnet.prefix }.to_string();
        if config.gateway.is_empty() {
            config.gateway = subnet.first_host().to_string();
        }
    }
    Some(ipam)
}

/// One id for each IPv4 subnet, at least one, unless the user gave some.
fn vxlan_ids(driver: &Driver, ipam: &IpamOptions, pools: &mut Pools) -> Option<String> {
    if let Some(given) = driver.options.get(vxlan::OPTION) {
        return Some(given.clone());
    }
    let v4 = ipam.configs.iter().filter(|config| !config.subnet.contains(':')).count();
    let ids: Option<Vec<String>> =
        (0..v4.max(1)).map(|_| pools.vxlan.free().map(|id| id.to_string())).collect();
    Some(ids?.join(","))
}
