//! Which parts of the address space networks have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{Cluster, Network, NetworkId};

use super::cidr::{Cidr, address, number, step};

/// From where subnets are taken if nothing is said.
const POOL_DEFAULT: &str = "10.0.0.0/8";
/// How long their masks are if nothing is said.
const SIZE_DEFAULT: u8 = 24;

/// The subnets that networks have.
#[derive(Clone, Debug, Default)]
pub(super) struct Subnets {
    held: BTreeMap<NetworkId, Vec<Cidr>>,
    /// The last subnet that was chosen.
    cursor: Option<IpAddr>,
}

impl PartialEq for Subnets {
    /// The cursor is patience.
    fn eq(&self, other: &Self) -> bool {
        self.held == other.held
    }
}

impl Subnets {
    /// Keeps up with a network.
    pub(super) fn note(&mut self, id: NetworkId, network: Option<&Network>) {
        let configs = network.and_then(|network| network.ipam.as_ref()).map(|ipam| ipam.configs.as_slice());
        let now: Vec<Cidr> =
            configs.unwrap_or_default().iter().filter_map(|config| config.subnet.parse().ok()).collect();
        if now.is_empty() {
            self.held.remove(&id);
        } else {
            self.held.insert(id, now);
        }
    }

    /// True if no other network has a part of it.
    pub(super) fn is_free(&self, subnet: Cidr) -> bool {
        self.in_the_way(subnet).is_none()
    }

    /// A free subnet from the swarm's pools: the next after the last one chosen, else the first.
    pub(super) fn free(&mut self, cluster: Option<&Cluster>) -> Option<Cidr> {
        let given = cluster.map(|cluster| cluster.default_address_pool.as_slice()).unwrap_or_default();
        let mut pools: Vec<Cidr> = given.iter().filter_map(|pool| pool.parse().ok()).collect();
        if pools.is_empty() {
            pools.push(POOL_DEFAULT.parse().expect("a constant subnet is one"));
        }
        let size =
            cluster.and_then(|cluster| u8::try_from(cluster.subnet_size).ok()).filter(|size| *size > 0);
        let size = size.unwrap_or(SIZE_DEFAULT);
        let highest = || self.held.values().flatten().map(|subnet| subnet.last()).max();
        let after = self.cursor.or_else(highest);
        let later = |pool: &&Cidr| after.is_some_and(|after| pool.contains(after));
        let found = pools.iter().find(later).and_then(|pool| self.free_within(*pool, size, after?));
        let found =
            found.or_else(|| pools.iter().find_map(|pool| self.free_from(*pool, size, pool.first())))?;
        self.cursor = Some(found.last());
        Some(found)
    }

    fn free_within(&self, pool: Cidr, size: u8, after: IpAddr) -> Option<Cidr> {
        if after >= pool.last() { None } else { self.free_from(pool, size, step(after)) }
    }

    /// The first free subnet of the pool that does not begin before `from`.
    fn free_from(&self, pool: Cidr, size: u8, from: IpAddr) -> Option<Cidr> {
        if size < pool.prefix {
            return None;
        }
        let mut candidate = aligned(from, size)?;
        while pool.contains(candidate.last()) {
            match self.in_the_way(candidate) {
                None => return Some(candidate),
                Some(other) if other.last() >= pool.last() => return None,
                Some(other) => candidate = aligned(step(other.last()), size)?,
            }
        }
        None
    }

    fn in_the_way(&self, subnet: Cidr) -> Option<Cidr> {
        let overlaps = |other: &&Cidr| {
            let same_family = other.address.is_ipv4() == subnet.address.is_ipv4();
            same_family && other.first() <= subnet.last() && subnet.first() <= other.last()
        };
        self.held.values().flatten().find(overlaps).copied()
    }
}

/// The first subnet of this size that does not begin before `from`.
fn aligned(from: IpAddr, size: u8) -> Option<Cidr> {
    let subnet = Cidr { address: from, prefix: size };
    if subnet.first() == from {
        return Some(subnet);
    }
    let next = number(subnet.last()).checked_add(1)?;
    let fits = from.is_ipv6() || next <= u128::from(u32::MAX);
    fits.then(|| Cidr { address: address(from, next), prefix: size })
}
