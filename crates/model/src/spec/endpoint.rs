//! How a service is reached.

use std::collections::BTreeMap;

/// How a service is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSpec {
    /// What its name means.
    pub mode: ResolutionMode,
    /// Its ports.
    pub ports: Vec<PortConfig>,
}

/// What a service's name means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResolutionMode {
    /// One address that leads to all tasks.
    #[default]
    Vip,
    /// The addresses of all tasks.
    DnsRoundRobin,
}

/// One port of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortConfig {
    /// For people.
    pub name: String,
    /// Which protocol.
    pub protocol: Protocol,
    /// The port in the container.
    pub target_port: u32,
    /// The port on the nodes; 0 means that one is chosen.
    pub published_port: u32,
    /// On which nodes.
    pub publish_mode: PublishMode,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// On which nodes a port is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishMode {
    /// On all, through the routing mesh.
    #[default]
    Ingress,
    /// On those that run a task.
    Host,
}

/// A network that tasks shall join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkAttachmentConfig {
    /// The network's id.
    pub target: String,
    /// More names within the network.
    pub aliases: Vec<String>,
    /// Wished addresses.
    pub addresses: Vec<String>,
    /// Options for the driver.
    pub driver_attachment_opts: BTreeMap<String, String>,
}
