//! Tasks get their addresses, and become `pending`; those that cannot say why.

use std::sync::Arc;

use model::network::NetworkAttachment;
use model::spec::endpoint::NetworkAttachmentConfig;
use model::{Network, Service, Task, TaskState};
use store::Draft;

use super::Pools;
use super::services::{ingress, needs_ingress, network};

/// Looks at each new task, and at those that were stuck if something was freed.
pub(super) fn run(draft: &mut Draft, pools: &mut Pools) {
    for id in std::mem::take(&mut pools.waiting.tasks) {
        let Some(task) = draft.tasks.get(id).filter(|task| is_new(task)).cloned() else { continue };
        if !draft.takes(&task) {
            pools.waiting.tasks.insert(id);
            continue;
        }
        let service = task.service_id.and_then(|id| draft.services.get(id)).cloned();
        match allocate(draft, pools, &task, service.as_deref()) {
            Ok(networks) => become_pending(draft, pools, task, networks, service.as_deref()),
            Err(lack) => explain(draft, pools, &task, lack),
        }
    }
}

fn is_new(task: &Task) -> bool {
    task.status.state == TaskState::New && task.desired_state <= TaskState::Complete
}

fn become_pending(
    draft: &mut Draft,
    pools: &mut Pools,
    task: Arc<Task>,
    networks: Vec<NetworkAttachment>,
    service: Option<&Service>,
) {
    let mut task = Arc::unwrap_or_clone(task);
    task.networks = networks;
    task.endpoint = service.and_then(|service| service.endpoint.clone()).or(task.endpoint);
    task.status.state = TaskState::Pending;
    task.status.timestamp = Some(draft.now());
    "pending task scheduling".clone_into(&mut task.status.message);
    task.status.err.clear();
    pools.addresses.note_task(task.id, Some(&task));
    draft.update(task);
}

/// Says on the task what it lacks, once.
fn explain(draft: &mut Draft, pools: &mut Pools, task: &Task, lack: String) {
    pools.waiting.lacking.tasks.insert(task.id);
    if task.status.err != lack {
        let mut task = task.clone();
        task.status.err = lack;
        draft.update(task);
    }
}

/// The task's places in its networks, or what it lacks.
fn allocate(
    draft: &Draft,
    pools: &mut Pools,
    task: &Task,
    service: Option<&Service>,
) -> Result<Vec<NetworkAttachment>, String> {
    if let Some(service) = service.filter(|service| pools.waiting.lacking.services.contains(&service.id)) {
        return Err(format!(
            "service {} lacks an address, a port or a network",
            service.spec.annotations.name
        ));
    }
    let mut places = Vec::new();
    if service.is_some_and(needs_ingress) {
        let ingress = ingress(draft).ok_or("the swarm has no ingress network")?;
        places.push((ingress, NetworkAttachmentConfig::default()));
    }
    let old_place = service.map(|service| service.spec.networks.as_slice()).unwrap_or_default();
    let configs = if task.spec.networks.is_empty() { old_place } else { &task.spec.networks };
    for config in configs {
        let network =
            network(draft, &config.target).ok_or_else(|| format!("network {} not found", config.target))?;
        places.push((network, config.clone()));
    }
    let mut attachments = Vec::with_capacity(places.len());
    for (network, config) in places {
        attachments.push(attachment(pools, network, config)?);
    }
    Ok(attachments)
}

fn attachment(
    pools: &mut Pools,
    network: &Network,
    config: NetworkAttachmentConfig,
) -> Result<NetworkAttachment, String> {
    let name = &network.spec.annotations.name;
    let NetworkAttachmentConfig { target: _, aliases, addresses: wishes, driver_attachment_opts } = config;
    if network.driver_state.is_none() {
        return Err(format!("network {name} has no subnet yet"));
    }
    let addresses = if network.is_node_local() {
        Vec::new()
    } else if wishes.is_empty() {
        pools.addresses.free(network).ok_or_else(|| format!("network {name} has no free address"))?
    } else {
        let wished = wishes.iter().map(|wish| {
            let free = pools.addresses.wished(network, wish);
            free.ok_or_else(|| format!("address {wish} of network {name} is not free"))
        });
        wished.collect::<Result<_, String>>()?
    };
    Ok(NetworkAttachment { network: network.clone(), addresses, aliases, driver_attachment_opts })
}
