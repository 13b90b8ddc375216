//! A network that spans the swarm.

use std::collections::BTreeMap;

use crate::id::NetworkId;
use crate::meta::{Annotations, Driver, Meta, Payload};

/// One network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Version and times.
    pub meta: Meta,
    /// What is wished.
    pub spec: NetworkSpec,
    /// What the driver needs to know on every node, such as the VXLAN ids.
    pub driver_state: Option<Driver>,
    /// Subnets and gateways as allocated.
    pub ipam: Option<IpamOptions>,
    /// Marked for deletion.
    pub pending_delete: bool,
    /// Usage figures, which other managers add to answers; never stored.
    pub extra: Option<Payload>,
}

/// What a user wishes of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// Which kind; absent means `overlay`.
    pub driver_config: Option<Driver>,
    /// Whether it carries IPv6.
    pub ipv6_enabled: bool,
    /// Whether it has no way out.
    pub internal: bool,
    /// Subnets; absent means that they are chosen.
    pub ipam: Option<IpamOptions>,
    /// Whether containers outside of services may join.
    pub attachable: bool,
    /// Whether this is the network of the routing mesh.
    pub ingress: bool,
    /// The network whose settings this one takes over.
    pub config_from: Option<String>,
}

/// Address management of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpamOptions {
    /// Which driver; absent means the default one.
    pub driver: Option<Driver>,
    /// One for each subnet.
    pub configs: Vec<IpamConfig>,
}

/// One subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpamConfig {
    /// Which protocol.
    pub family: AddressFamily,
    /// In CIDR form.
    pub subnet: String,
    /// The part of the subnet to give addresses from; empty means all.
    pub range: String,
    /// The way out.
    pub gateway: String,
    /// Addresses that are never given.
    pub reserved: BTreeMap<String, String>,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// Not said.
    #[default]
    Unknown,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Somebody's place in a network: a task's or a node's.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkAttachment {
    /// The network, as it was when the addresses were given.
    pub network: Network,
    /// In CIDR form; empty for networks that are local to a node.
    pub addresses: Vec<String>,
    /// More names for it within the network.
    pub aliases: Vec<String>,
    /// Options for the driver.
    pub driver_attachment_opts: BTreeMap<String, String>,
}

/// The driver of networks that span nodes.
pub const OVERLAY: &str = "overlay";
/// The label of networks that every node has of its own and that services may name.
pub const PREDEFINED_LABEL: &str = "com.docker.swarm.predefined";
/// The label of networks that the swarm made for itself.
pub const INTERNAL_LABEL: &str = "com.docker.swarm.internal";

impl Network {
    /// The driver's name.
    pub fn driver(&self) -> &str {
        let named = self.driver_state.as_ref().or(self.spec.driver_config.as_ref());
        named.map(|driver| driver.name.as_str()).filter(|name| !name.is_empty()).unwrap_or(OVERLAY)
    }

    /// True if each node has its own, with addresses of its own choice.
    pub fn is_node_local(&self) -> bool {
        matches!(self.driver(), "bridge" | "host" | "ipvlan" | "macvlan" | "null")
    }

    /// True if this is the network of the routing mesh: by its mark, or by its old name and label.
    pub fn is_ingress(&self) -> bool {
        let annotations = &self.spec.annotations;
        self.spec.ingress
            || (annotations.name == "ingress" && annotations.labels.contains_key(INTERNAL_LABEL))
    }
}
