//! No address of a network belongs to two at once.

use std::collections::BTreeMap;

use model::network::NetworkAttachment;
use model::{NetworkId, TaskState};
use store::{Object, State};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let concerns = |object: &Object| {
        matches!(object, Object::Task(_) | Object::Service(_) | Object::Node(_) | Object::Network(_))
    };
    if !view.changes.iter().any(|change| concerns(change.object())) {
        return Ok(());
    }
    let mut owners: BTreeMap<(NetworkId, String), String> = BTreeMap::new();
    for (network, address, owner) in held(view.now) {
        let plain = address.split('/').next().unwrap_or_default().to_owned();
        if let Some(other) = owners.insert((network, plain), owner.clone()) {
            return Err(format!("{address} belongs to {other} and to {owner}"));
        }
    }
    Ok(())
}

/// Every address that somebody holds.
fn held(state: &State) -> Vec<(NetworkId, String, String)> {
    let mut all = Vec::new();
    let mut attached = |attachments: &[NetworkAttachment], owner: &str| {
        for attachment in attachments {
            let addresses = attachment.addresses.iter();
            all.extend(addresses.map(|it| (attachment.network.id, it.clone(), owner.to_owned())));
        }
    };
    for task in state.tasks.iter().filter(|task| task.status.state <= TaskState::Running) {
        attached(&task.networks, &format!("task {}", task.id));
    }
    for node in state.nodes.iter() {
        attached(&node.attachments, &format!("node {}", node.id));
    }
    for service in state.services.iter() {
        let ips = service.endpoint.iter().flat_map(|endpoint| &endpoint.virtual_ips);
        all.extend(ips.map(|ip| (ip.network_id, ip.addr.clone(), format!("service {}", service.id))));
    }
    for network in state.networks.iter() {
        let gateways = network.ipam.iter().flat_map(|ipam| &ipam.configs).map(|config| &config.gateway);
        all.extend(gateways.map(|it| (network.id, it.clone(), format!("network {}", network.id))));
    }
    all
}
