//! Which ports of the routing mesh services have.

use std::collections::BTreeMap;

use model::spec::endpoint::{PortConfig, Protocol, PublishMode};
use model::{Service, ServiceId};

/// The lowest port that is chosen for a service.
const FIRST: u32 = 30_000;
/// The highest port that is chosen for a service.
const LAST: u32 = 32_767;

/// The ports of the routing mesh that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports {
    held: BTreeMap<ServiceId, Vec<(Protocol, u32)>>,
    owners: BTreeMap<(Protocol, u32), ServiceId>,
    /// The last port that was chosen, for each protocol.
    cursors: BTreeMap<Protocol, u32>,
}

impl PartialEq for Ports {
    /// Cursors are patience.
    fn eq(&self, other: &Self) -> bool {
        self.held == other.held
    }
}

impl Ports {
    /// Keeps up with a service. True if something was freed.
    pub(super) fn note(&mut self, id: ServiceId, service: Option<&Service>) -> bool {
        let endpoint = service.and_then(|service| service.endpoint.as_ref());
        let ports = endpoint.map(|endpoint| endpoint.ports.as_slice()).unwrap_or_default();
        let meshed = ports.iter().filter(|port| port.publish_mode == PublishMode::Ingress);
        let now: Vec<_> = meshed.map(|port| (port.protocol, port.published_port)).collect();
        let before = self.held.remove(&id).unwrap_or_default();
        for port in &before {
            if self.owners.get(port) == Some(&id) {
                self.owners.remove(port);
            }
        }
        for port in &now {
            self.owners.entry(*port).or_insert(id);
        }
        let freed = before.iter().any(|port| !now.contains(port));
        if !now.is_empty() {
            self.held.insert(id, now);
        }
        freed
    }

    /// The ports of a service as its spec wishes them, chosen ones filled in: those it has already are kept.
    /// None if a port is taken by another service, or none is left.
    pub(super) fn fill(
        &mut self,
        id: ServiceId,
        wished: &[PortConfig],
        before: &[PortConfig],
    ) -> Option<Vec<PortConfig>> {
        let mut filled: Vec<PortConfig> = Vec::with_capacity(wished.len());
        for port in wished {
            let mut port = port.clone();
            if port.publish_mode == PublishMode::Ingress {
                let kept = before.iter().find(|old| is_same(old, &port) && !filled.contains(old));
                port.published_port = match (port.published_port, kept) {
                    (0, Some(kept)) => kept.published_port,
                    (0, None) => self.free(port.protocol, &filled)?,
                    (wished, _) => wished,
                };
                if self.owners.get(&(port.protocol, port.published_port)).is_some_and(|owner| *owner != id) {
                    return None;
                }
            }
            filled.push(port);
        }
        Some(filled)
    }

    fn free(&mut self, protocol: Protocol, filled: &[PortConfig]) -> Option<u32> {
        let from = self.cursors.get(&protocol).map_or(FIRST, |last| last + 1);
        let free = |port: &u32| {
            let mine = |other: &PortConfig| other.protocol == protocol && other.published_port == *port;
            !self.owners.contains_key(&(protocol, *port)) && !filled.iter().any(mine)
        };
        let found = (from..=LAST).find(free).or_else(|| (FIRST..=LAST).find(free))?;
        self.cursors.insert(protocol, found);
        Some(found)
    }
}

/// True if both mean the same port but for the number that was chosen.
fn is_same(old: &PortConfig, new: &PortConfig) -> bool {
    let PortConfig { name, protocol, target_port, published_port: _, publish_mode } = old;
    *name == new.name
        && *protocol == new.protocol
        && *target_port == new.target_port
        && *publish_mode == new.publish_mode
}
