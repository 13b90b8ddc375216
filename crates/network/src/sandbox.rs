//! A container's place in the network: what is wished for it, and what it got.
//!
//! In: descriptions made by the daemon. Out: the same with addresses and ports filled in; both can be written down and
//! read back. It touches no kernel.

use std::net::Ipv4Addr;
use std::path::PathBuf;

pub use model::spec::endpoint::Protocol;
use serde::{Deserialize, Serialize};

/// What is wished for one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The container's name, which others may resolve.
    pub name: String,
    /// Its host name, which others may resolve too.
    pub hostname: String,
    /// How it is connected.
    pub link: Link,
    /// More names for it on every network it is on.
    pub aliases: Vec<String>,
    /// The networks whose names it sees and whose members see it. Empty: the local bridge, as `bridge`.
    pub networks: Vec<Membership>,
    /// Ports of this container that are open on this host (publish mode `host`, `docker run -p`).
    pub ports: Vec<HostPort>,
    /// The service it is a task of.
    pub service: Option<ServiceShare>,
}

/// How a container is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// By `eth0` to the local bridge.
    #[default]
    Bridge,
    /// Not at all; it has a loopback of its own.
    Loopback,
}

/// A container's part in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The network's name.
    pub network: String,
    /// More names on this network.
    pub aliases: Vec<String>,
    /// The service's one address on this network, if its name means that.
    pub vip: Option<Ipv4Addr>,
}

/// A port of a container that is open on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// Which protocol.
    #[serde(with = "ProtocolText")]
    pub protocol: Protocol,
    /// On which of the host's addresses; `0.0.0.0` means all.
    pub host_ip: Ipv4Addr,
    /// The port on the host; 0 in a wish means that one is chosen.
    pub host_port: u16,
    /// The port in the container.
    pub container_port: u16,
}

/// A task's part in its service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceShare {
    /// The service's id.
    pub id: String,
    /// The service's name.
    pub name: String,
    /// Ports of the service that every host opens (publish mode `ingress`).
    pub ports: Vec<IngressPort>,
}

/// A port of a service that every host opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IngressPort {
    /// Which protocol.
    #[serde(with = "ProtocolText")]
    pub protocol: Protocol,
    /// The port on the hosts.
    pub published: u16,
    /// The port in the containers.
    pub target: u16,
}

/// What one container got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The container's id.
    pub container: String,
    /// The file its network namespace is pinned to.
    pub netns: PathBuf,
    /// Its `eth0`; None if it is not connected.
    pub interface: Option<Interface>,
    /// Its ports on this host, as they really are.
    pub ports: Vec<HostPort>,
    /// Whether its service sends work to it.
    pub standing: Standing,
    /// What was wished.
    pub spec: SandboxSpec,
}

/// A container's `eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its address.
    pub address: Ipv4Addr,
    /// How many bits of it name the subnet.
    pub prefix: u8,
    /// Its way out.
    pub gateway: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
}

/// Whether a service sends work to a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// No: not yet, or no more.
    #[default]
    Aside,
    /// Yes.
    Serving,
}

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The hardware address that belongs to an address, so that neighbours never hold a stale pair.
    pub fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Sandbox {
    /// Its address, if it is connected.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.interface.map(|interface| interface.address)
    }
}

/// How a protocol is written down.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Protocol", rename_all = "lowercase")]
enum ProtocolText {
    Tcp,
    Udp,
    Sctp,
}

/// The word the kernel's tools use for a protocol.
pub(crate) fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}
