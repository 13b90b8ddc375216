//! The kernel's network: bridges, NAT, published ports, names.
//!
//! In: what each container wishes ([`SandboxSpec`]). Out: a network namespace for it ([`Sandbox`]), packet rules that
//! balance published ports over the containers that serve, and a name server inside each namespace. It does not know what a
//! service's spec is, and starts no containers.
//!
//! The way of a wish: [`Network`] hands it to the keeper, a thread that owns everything; the keeper makes the namespace
//! (`endpoint`, `kernel`), asks `plan` what the host shall look like now, and performs the difference.

mod config;
mod endpoint;
mod failure;
mod keeper;
mod kernel;
mod listing;
mod memory;
mod network;
pub mod plan;
mod pool;
mod ports;
mod readiness;
mod resolver;
mod sandbox;
mod subnet;
mod uplink;
mod watch;

pub use config::{Instance, NetworkConfig, NotAnInstance};
pub use failure::{AttachError, Kernel};
pub use listing::{LocalEndpoint, LocalNetwork, endpoint_id, network_id};
pub use network::Network;
pub use ports::PortTaken;
pub use resolver::resolv_conf;
pub use sandbox::{
    HostPort, IngressPort, Interface, Link, Mac, Membership, Protocol, Sandbox, SandboxSpec, ServiceShare,
    Standing,
};
pub use subnet::{NotASubnet, Subnet};
