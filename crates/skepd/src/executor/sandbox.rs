//! A task's part in the network: pure translation.

use std::net::Ipv4Addr;

use model::network::NetworkAttachment;
use model::spec::container::ContainerSpec;
use model::spec::endpoint::{PortConfig, PublishMode};
use model::task::PortStatus;
use model::{NetworkId, Task};
use network::{HostPort, IngressPort, Link, Membership, Sandbox, SandboxSpec, ServiceShare};

use super::description::{hosts, resolver};
use crate::connect::{Mode, Wiring};

/// How a task's container shall be connected. `hostname` is as the container sees it; empty means its id's letters.
pub(crate) fn wiring(task: &Task, spec: &ContainerSpec, hostname: &str) -> Wiring {
    let on_host = task.networks.iter().any(|attachment| attachment.network.driver() == "host");
    Wiring {
        mode: if on_host { Mode::Host } else { Mode::Sandbox },
        sandbox: SandboxSpec {
            name: task.name(),
            hostname: hostname.to_owned(),
            link: link(task),
            aliases: Vec::new(),
            networks: task
                .networks
                .iter()
                .filter(|place| is_named(place))
                .map(|place| membership(task, place))
                .collect(),
            ports: ports(task, PublishMode::Host).filter_map(host_port).collect(),
            service: task.service_id.map(|id| ServiceShare {
                id: id.to_string(),
                name: task.service_annotations.name.clone(),
                ports: ports(task, PublishMode::Ingress).filter_map(ingress_port).collect(),
            }),
        },
        hosts: hosts(spec),
        resolver: resolver(spec.dns.as_ref()),
    }
}

/// The ports of this node that lead to a task, as they really are.
pub(crate) fn port_status(task: &Task, sandbox: Option<&Sandbox>) -> Option<PortStatus> {
    let taken = sandbox.map(|sandbox| sandbox.ports.as_slice()).unwrap_or_default();
    let as_taken = |wished: &PortConfig| {
        let fits = |port: &&HostPort| {
            u32::from(port.container_port) == wished.target_port
                && port.protocol == wished.protocol
                && (wished.published_port == 0 || u32::from(port.host_port) == wished.published_port)
        };
        let published_port =
            taken.iter().find(fits).map_or(wished.published_port, |port| u32::from(port.host_port));
        PortConfig { published_port, ..wished.clone() }
    };
    let ports: Vec<PortConfig> = ports(task, PublishMode::Host).map(as_taken).collect();
    (!ports.is_empty()).then_some(PortStatus { ports })
}

fn link(task: &Task) -> Link {
    let alone = task.networks.iter().any(|attachment| attachment.network.driver() == "null");
    if alone { Link::Loopback } else { Link::Bridge }
}

/// True for networks whose members see each other by name: not the mesh, and not the node's own.
fn is_named(attachment: &NetworkAttachment) -> bool {
    !attachment.network.is_ingress() && !attachment.network.is_node_local()
}

fn membership(task: &Task, attachment: &NetworkAttachment) -> Membership {
    let id = attachment.network.id;
    let configured = task.spec.networks.iter().find(|config| config.target == id.as_str());
    let mut aliases = attachment.aliases.clone();
    aliases.extend(configured.map(|config| config.aliases.clone()).unwrap_or_default());
    aliases.sort();
    aliases.dedup();
    Membership { network: attachment.network.spec.annotations.name.clone(), aliases, vip: vip(task, id) }
}

fn vip(task: &Task, network: NetworkId) -> Option<Ipv4Addr> {
    let vips = &task.endpoint.as_ref()?.virtual_ips;
    let vip = vips.iter().find(|vip| vip.network_id == network)?;
    vip.addr.split('/').next()?.parse().ok()
}

fn ports(task: &Task, mode: PublishMode) -> impl Iterator<Item = &PortConfig> {
    let ports = task.endpoint.as_ref().map(|endpoint| endpoint.ports.as_slice()).unwrap_or_default();
    ports.iter().filter(move |port| port.publish_mode == mode)
}

fn host_port(port: &PortConfig) -> Option<HostPort> {
    Some(HostPort {
        protocol: port.protocol,
        host_ip: Ipv4Addr::UNSPECIFIED,
        host_port: u16::try_from(port.published_port).ok()?,
        container_port: u16::try_from(port.target_port).ok()?,
    })
}

fn ingress_port(port: &PortConfig) -> Option<IngressPort> {
    let published = u16::try_from(port.published_port).ok().filter(|port| *port != 0)?;
    Some(IngressPort { protocol: port.protocol, published, target: u16::try_from(port.target_port).ok()? })
}
