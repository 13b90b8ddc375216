//! What the kernel's network shall look like, as a value.
//!
//! In: the bridge and the sandboxes on it. Out: `Wanted`, and by `diff` the way there. Everything here is pure: it touches
//! no kernel, reads no clock and can be printed.

mod bridge;
mod diff;
pub(crate) mod doorway;
mod mesh;
pub(crate) mod records;
pub(crate) mod ruleset;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub use diff::{Operation, diff};
pub use records::Records;
pub use ruleset::Ruleset;

use crate::sandbox::{Protocol, Sandbox};
use crate::subnet::Subnet;
use mesh::Mesh;

/// What the kernel's network shall look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The local bridge.
    pub bridge: Bridge,
    /// The kernel's switches.
    pub switches: Vec<Switch>,
    /// The ports of this host that lead to containers.
    pub doors: BTreeSet<Door>,
    /// Everybody who may have connections by way of a port or a service's address.
    pub backends: BTreeSet<Ipv4Addr>,
    /// The packet rules.
    pub ruleset: Ruleset,
    /// The names.
    pub records: Records,
}

/// What the kernel's network is known to look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The local bridge, if it was found or made.
    pub bridge: Option<Bridge>,
    /// The ports that are reserved.
    pub doors: BTreeSet<Door>,
    /// Everybody who may have had such connections.
    pub backends: BTreeSet<Ipv4Addr>,
    /// The rules that were loaded; None if that is not known.
    pub ruleset: Option<Ruleset>,
}

/// The local bridge. Its own address is the subnet's gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// The addresses on it.
    pub subnet: Subnet,
}

/// One of the kernel's switches under `/proc/sys/net`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Its name, with slashes.
    pub name: String,
    /// How it shall stand.
    pub value: &'static str,
}

/// A port of this host that leads to containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door {
    /// Which protocol.
    pub protocol: Protocol,
    /// On which address; `0.0.0.0` means all.
    pub host_ip: Ipv4Addr,
    /// Which port.
    pub port: u16,
}

impl Door {
    /// True if it is open on all addresses of this host.
    pub fn is_everywhere(&self) -> bool {
        self.host_ip.is_unspecified()
    }

    /// True if one packet could be meant for both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let addresses = self.host_ip == other.host_ip || self.is_everywhere() || other.is_everywhere();
        self.protocol == other.protocol && self.port == other.port && addresses
    }
}

impl Wanted {
    /// What these sandboxes on this bridge ask for.
    pub fn of<'a>(
        table: &str,
        bridge: &Bridge,
        sandboxes: impl Iterator<Item = &'a Sandbox> + Clone,
    ) -> Self {
        let mesh = Mesh::of(sandboxes.clone());
        let mut chains = vec![bridge::guard(bridge)];
        chains.extend(mesh.chains());
        chains.push(bridge::leaving(bridge));
        Self {
            bridge: bridge.clone(),
            switches: bridge::switches(bridge),
            doors: mesh.doors.keys().copied().collect(),
            backends: mesh.backends,
            ruleset: Ruleset { table: table.to_owned(), chains },
            records: Records::of(sandboxes),
        }
    }
}
