//! Who is called what, for whom.
//!
//! In: the sandboxes. Out: for each network the addresses behind each name, and for each container the networks whose
//! names it may use. Names are in lower case. It answers no packets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::sandbox::{Membership, Sandbox, ServiceShare, Standing};

/// All names of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    zones: BTreeMap<String, Zone>,
    guests: BTreeMap<String, Vec<String>>,
}

/// The names of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Zone {
    names: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    owners: BTreeMap<Ipv4Addr, String>,
}

/// The network of containers that name none.
const BRIDGE: &str = "bridge";

impl Records {
    /// The names of these containers.
    pub(crate) fn of<'a>(sandboxes: impl Iterator<Item = &'a Sandbox>) -> Self {
        let mut records = Self::default();
        let local = [Membership { network: BRIDGE.to_owned(), aliases: Vec::new(), vip: None }];
        for sandbox in sandboxes {
            let Some(address) = sandbox.address() else { continue };
            let networks =
                if sandbox.spec.networks.is_empty() { &local } else { sandbox.spec.networks.as_slice() };
            for membership in networks {
                let zone = records.zones.entry(membership.network.to_lowercase()).or_default();
                zone.add(sandbox, membership, address);
            }
            let visible = networks.iter().map(|membership| membership.network.to_lowercase()).collect();
            records.guests.insert(sandbox.container.clone(), visible);
        }
        records
    }

    /// The addresses behind a name, for one container. None if it knows no such name.
    ///
    /// The name may end with the name of the network it is meant in.
    pub fn addresses(&self, container: &str, name: &str) -> Option<&BTreeSet<Ipv4Addr>> {
        let name = name.trim_end_matches('.').to_lowercase();
        let plain = self.zones_of(container).find_map(|(_, zone)| zone.names.get(&name));
        plain.or_else(|| {
            self.zones_of(container).find_map(|(network, zone)| {
                let within = name.strip_suffix(network)?.strip_suffix('.')?;
                zone.names.get(within)
            })
        })
    }

    /// The name behind an address, for one container, with the network's name at its end.
    pub fn name(&self, container: &str, address: Ipv4Addr) -> Option<String> {
        self.zones_of(container)
            .find_map(|(network, zone)| Some(format!("{}.{network}", zone.owners.get(&address)?)))
    }

    fn zones_of(&self, container: &str) -> impl Iterator<Item = (&String, &Zone)> {
        let networks = self.guests.get(container).map(Vec::as_slice).unwrap_or_default();
        networks.iter().filter_map(|network| self.zones.get_key_value(network))
    }
}

impl Zone {
    fn add(&mut self, sandbox: &Sandbox, membership: &Membership, address: Ipv4Addr) {
        let spec = &sandbox.spec;
        let id = sandbox.container.get(..12).unwrap_or(&sandbox.container);
        self.put(&spec.name, [address]);
        self.put(&spec.hostname, [address]);
        self.put(id, [address]);
        for alias in &spec.aliases {
            self.put(alias, [address]);
        }
        let owner = if spec.name.is_empty() { id } else { &spec.name };
        self.owners.insert(address, owner.to_lowercase());
        match &spec.service {
            Some(service) => self.add_share(service, sandbox.standing, membership, address),
            None => membership.aliases.iter().for_each(|alias| self.put(alias, [address])),
        }
    }

    /// The service's names, which lead to those that serve. They are known before anybody does, so that nobody outside is
    /// asked for them.
    fn add_share(
        &mut self,
        service: &ServiceShare,
        standing: Standing,
        membership: &Membership,
        address: Ipv4Addr,
    ) {
        let serving = (standing == Standing::Serving).then_some(address);
        for name in std::iter::once(&service.name).chain(&membership.aliases) {
            self.put(name, membership.vip.or(serving));
            self.put(&format!("tasks.{name}"), serving);
        }
        if let Some(vip) = membership.vip {
            self.owners.insert(vip, service.name.to_lowercase());
        }
    }

    fn put(&mut self, name: &str, addresses: impl IntoIterator<Item = Ipv4Addr>) {
        if !name.is_empty() {
            self.names.entry(name.to_lowercase()).or_default().extend(addresses);
        }
    }
}
