//! Who holds which address of which network.
//!
//! In: objects as they come, change and go. Out: free addresses, one after the other from where the last one was
//! given, so that an address that was just freed rests for a while.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::network::{IpamConfig, NetworkAttachment};
use model::{Network, NetworkId, Node, NodeId, Service, ServiceId, Task, TaskId};

use super::cidr::{Cidr, step};

/// Who can hold addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// A network, its gateways.
    Network(NetworkId),
    /// A service, its virtual addresses.
    Service(ServiceId),
    /// A task.
    Task(TaskId),
    /// A node.
    Node(NodeId),
}

/// All addresses that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    held: BTreeMap<Holder, Vec<(NetworkId, IpAddr)>>,
    /// How many hold an address: never more than one, unless another manager's book says so.
    used: BTreeMap<(NetworkId, IpAddr), u32>,
    /// After which address of a subnet the search goes on.
    cursors: BTreeMap<(NetworkId, IpAddr), IpAddr>,
}

impl PartialEq for Addresses {
    /// Cursors are patience: a new leader may begin elsewhere.
    fn eq(&self, other: &Self) -> bool {
        self.held == other.held && self.used == other.used
    }
}

impl Addresses {
    /// Keeps up with a network. True if something was freed, as with all that follow.
    pub(super) fn note_network(&mut self, id: NetworkId, network: Option<&Network>) -> bool {
        let configs = network.and_then(|network| network.ipam.as_ref()).map(|ipam| ipam.configs.as_slice());
        let fixed = configs.unwrap_or_default().iter().flat_map(|config| {
            let reserved = config.reserved.values().map(String::as_str);
            reserved.chain([config.gateway.as_str()]).filter_map(plain)
        });
        let held = fixed.map(|ip| (id, ip)).collect();
        self.hold(Holder::Network(id), held)
    }

    pub(super) fn note_service(&mut self, id: ServiceId, service: Option<&Service>) -> bool {
        let endpoint = service.and_then(|service| service.endpoint.as_ref());
        let virtual_ips = endpoint.map(|endpoint| endpoint.virtual_ips.as_slice()).unwrap_or_default();
        let held = virtual_ips.iter().filter_map(|ip| Some((ip.network_id, plain(&ip.addr)?))).collect();
        self.hold(Holder::Service(id), held)
    }

    pub(super) fn note_task(&mut self, id: TaskId, task: Option<&Task>) -> bool {
        let networks = task.map(|task| task.networks.as_slice()).unwrap_or_default();
        self.hold(Holder::Task(id), attached(networks))
    }

    pub(super) fn note_node(&mut self, id: NodeId, node: Option<&Node>) -> bool {
        let networks = node.map(|node| node.attachments.as_slice()).unwrap_or_default();
        self.hold(Holder::Node(id), attached(networks))
    }

    /// A free address of each family that the network has, in CIDR form. They are free until noted as held.
    pub(super) fn free(&mut self, network: &Network) -> Option<Vec<String>> {
        let configs = network.ipam.as_ref().map(|ipam| ipam.configs.as_slice()).unwrap_or_default();
        let mut found: Vec<Cidr> = Vec::new();
        let mut families = 0;
        for v4 in [true, false] {
            let mut subnets =
                configs.iter().filter_map(subnet).filter(|(subnet, _)| subnet.address.is_ipv4() == v4);
            let Some(first) = subnets.next() else { continue };
            families += 1;
            let mut all = std::iter::once(first).chain(subnets);
            found.extend(all.find_map(|(subnet, range)| self.free_within(network.id, subnet, range)));
        }
        (families > 0 && found.len() == families).then(|| found.iter().map(Cidr::to_string).collect())
    }

    /// The wished address, if it is of the network and free, in CIDR form.
    pub(super) fn wished(&self, network: &Network, wish: &str) -> Option<String> {
        let address = plain(wish)?;
        let configs = network.ipam.as_ref().map(|ipam| ipam.configs.as_slice()).unwrap_or_default();
        let (subnet, _) = configs.iter().filter_map(subnet).find(|(subnet, _)| subnet.contains(address))?;
        let free = !self.used.contains_key(&(network.id, address));
        free.then(|| Cidr { address, prefix: subnet.prefix }.to_string())
    }

    /// Replaces what a holder holds.
    fn hold(&mut self, holder: Holder, now: Vec<(NetworkId, IpAddr)>) -> bool {
        let before =
            if now.is_empty() { self.held.remove(&holder) } else { self.held.insert(holder, now.clone()) };
        let before = before.unwrap_or_default();
        if before == now {
            return false;
        }
        for place in &now {
            *self.used.entry(*place).or_default() += 1;
        }
        for place in &before {
            let count = self.used.get_mut(place).expect("what is held is counted");
            *count -= 1;
            if *count == 0 {
                self.used.remove(place);
            }
        }
        !before.is_empty()
    }

    fn free_within(&mut self, network: NetworkId, subnet: Cidr, range: Cidr) -> Option<Cidr> {
        let first = range.first().max(subnet.first_host());
        let last = range.last().min(subnet.last_host());
        let key = (network, subnet.first());
        let highest =
            || self.used.range((network, first)..=(network, last)).next_back().map(|((_, ip), _)| *ip);
        let after = self.cursors.get(&key).copied().or_else(highest);
        let from = after.filter(|after| *after < last).map_or(first, step);
        let address = self.gap(network, from, last).or_else(|| self.gap(network, first, last))?;
        self.cursors.insert(key, address);
        Some(Cidr { address, prefix: subnet.prefix })
    }

    /// The first address from `first` to `last` that nobody holds.
    fn gap(&self, network: NetworkId, first: IpAddr, last: IpAddr) -> Option<IpAddr> {
        if first > last {
            return None;
        }
        let mut candidate = first;
        for ((_, used), _) in self.used.range((network, first)..=(network, last)) {
            if *used != candidate {
                break;
            }
            if candidate == last {
                return None;
            }
            candidate = step(candidate);
        }
        Some(candidate)
    }
}

/// A subnet, and the part of it to give addresses from.
fn subnet(config: &IpamConfig) -> Option<(Cidr, Cidr)> {
    let subnet: Cidr = config.subnet.parse().ok()?;
    let range = config.range.parse().ok().filter(|range: &Cidr| subnet.contains(range.address));
    Some((subnet, range.unwrap_or(subnet)))
}

fn attached(networks: &[NetworkAttachment]) -> Vec<(NetworkId, IpAddr)> {
    let all = networks.iter();
    all.flat_map(|it| it.addresses.iter().filter_map(|ip| Some((it.network.id, plain(ip)?)))).collect()
}

/// The address without its subnet, if it has one.
fn plain(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}
