//! Which nodes a task can run on at all (`control.md` section 9).
//!
//! In: a wish, and a node's shelf. Out: the first filter that holds the node back. It does not know which of the
//! nodes that pass is best.

use std::net::IpAddr;

use model::Node;
use model::constraint::{Constraint, Operator};
use model::node::{Availability, EngineDescription, NodeRole, NodeState};
use model::spec::resources::Platform;

use super::ledger::Shelf;
use super::wish::Wish;

/// What can hold a node back, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Filter {
    /// It takes no new tasks.
    Ready,
    /// It has too little left.
    Resource,
    /// It lacks a driver.
    Plugin,
    /// It is not what is asked for.
    Constraint,
    /// The image is not made for it.
    Platform,
    /// A port is taken there.
    HostPort,
    /// It has enough tasks of the service.
    MaxReplicas,
    /// A volume is not to be had.
    Volumes,
}

/// Ok if a task with this wish can run on the node.
pub(super) fn check(wish: &Wish, shelf: &Shelf) -> Result<(), Filter> {
    let asked = [
        (Filter::Ready, is_ready(&shelf.node)),
        (Filter::Resource, shelf.has_room(wish)),
        (Filter::Plugin, has_plugins(wish, &shelf.node)),
        (Filter::Constraint, constraints_hold(&wish.constraints, &shelf.node)),
        (Filter::Platform, is_supported(&wish.platforms, &shelf.node)),
        (Filter::HostPort, wish.host_ports.iter().all(|port| shelf.is_port_free(*port))),
        (
            Filter::MaxReplicas,
            wish.max_replicas == 0 || u64::from(shelf.active_of(wish.service)) < wish.max_replicas,
        ),
        (Filter::Volumes, !wish.lacks_volume),
    ];
    match asked.into_iter().find(|(_, passed)| !passed) {
        None => Ok(()),
        Some((filter, _)) => Err(filter),
    }
}

/// True if the node takes new tasks.
pub(super) fn is_ready(node: &Node) -> bool {
    node.status.state == NodeState::Ready && node.spec.availability == Availability::Active
}

/// The constraints, read; none if one of them cannot be read, in which case none is asked.
pub(super) fn constraints(texts: &[String]) -> Option<Vec<Constraint>> {
    texts.iter().map(|text| Constraint::parse(text).ok()).collect()
}

/// True if the node is what all these ask for.
pub(super) fn constraints_hold(constraints: &[Constraint], node: &Node) -> bool {
    constraints.iter().all(|constraint| holds(constraint, node))
}

fn holds(constraint: &Constraint, node: &Node) -> bool {
    let key = constraint.key.to_ascii_lowercase();
    let description = node.description.as_ref();
    let platform = description.and_then(|description| description.platform.as_ref());
    let engine = description.and_then(|description| description.engine.as_ref());
    let label = |prefix: &str| constraint.key.get(prefix.len()..).unwrap_or_default();
    let actual = match key.as_str() {
        "node.id" => node.id.as_str(),
        "node.hostname" => description.map(|it| it.hostname.as_str()).unwrap_or_default(),
        "node.ip" => return is_at(constraint, &node.status.addr),
        "node.role" => match node.role {
            NodeRole::Manager => "manager",
            NodeRole::Worker => "worker",
        },
        "node.platform.os" => platform.map(|it| it.os.as_str()).unwrap_or_default(),
        "node.platform.arch" => platform.map(|it| it.architecture.as_str()).unwrap_or_default(),
        _ if key.starts_with(NODE_LABELS) => {
            node.spec.annotations.labels.get(label(NODE_LABELS)).map(String::as_str).unwrap_or_default()
        }
        _ if key.starts_with(ENGINE_LABELS) => {
            let labels = engine.map(|engine| &engine.labels);
            labels.and_then(|all| all.get(label(ENGINE_LABELS))).map(String::as_str).unwrap_or_default()
        }
        _ => return false,
    };
    constraint.accepts(actual)
}

/// The prefix of labels that users give to nodes.
pub(super) const NODE_LABELS: &str = "node.labels.";
/// The prefix of labels that operators give to engines.
pub(super) const ENGINE_LABELS: &str = "engine.labels.";

/// Compares a node's address with an address or a subnet; neither ever holds for what is no address.
fn is_at(constraint: &Constraint, addr: &str) -> bool {
    let Ok(actual) = addr.parse::<IpAddr>() else { return false };
    let within = match constraint.value.split_once('/') {
        None => constraint.value.parse::<IpAddr>().is_ok_and(|wished| wished == actual),
        Some((base, prefix)) => match (base.parse::<IpAddr>(), prefix.parse::<u32>()) {
            (Ok(base), Ok(prefix)) => share_bits(base, actual, prefix),
            _ => return false,
        },
    };
    within == (constraint.operator == Operator::Equal)
}

/// True if the first bits of both are the same.
fn share_bits(one: IpAddr, other: IpAddr, prefix: u32) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let differing = u32::from(one) ^ u32::from(other);
            differing.leading_zeros() >= prefix
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let differing = u128::from(one) ^ u128::from(other);
            differing.leading_zeros() >= prefix
        }
        _ => false,
    }
}

/// True if the node has all drivers. One that says nothing of its engine passes.
fn has_plugins(wish: &Wish, node: &Node) -> bool {
    let engine = node.description.as_ref().and_then(|description| description.engine.as_ref());
    let Some(engine) = engine else { return true };
    let log = wish.log_driver.as_ref();
    let reports_logs = engine.plugins.iter().any(|plugin| plugin.kind == "Log");
    wish.plugins.iter().all(|(kind, name)| has_plugin(engine, kind, name))
        && log.is_none_or(|name| !reports_logs || has_plugin(engine, "Log", name))
}

fn has_plugin(engine: &EngineDescription, kind: &str, name: &str) -> bool {
    let same_name = |other: &str| other == name || other.strip_suffix(":latest") == Some(name);
    engine.plugins.iter().any(|plugin| plugin.kind == kind && same_name(&plugin.name))
}

/// True if the node is one of these platforms, or none is named.
fn is_supported(platforms: &[Platform], node: &Node) -> bool {
    let actual = node.description.as_ref().and_then(|description| description.platform.as_ref());
    platforms.is_empty() || actual.is_some_and(|actual| platforms.iter().any(|it| is_platform(it, actual)))
}

fn is_platform(wished: &Platform, actual: &Platform) -> bool {
    let Platform { architecture, os } = wished;
    let same_architecture = architecture.is_empty() || usual(architecture) == usual(&actual.architecture);
    same_architecture && (os.is_empty() || *os == actual.os)
}

/// One word for each architecture.
fn usual(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
