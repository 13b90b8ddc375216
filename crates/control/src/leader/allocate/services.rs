//! Services get their ports and their virtual addresses.

use std::sync::Arc;

use model::service::{Endpoint, VirtualIp};
use model::spec::endpoint::{NetworkAttachmentConfig, PublishMode, ResolutionMode};
use model::{Network, NetworkId, Service, ServiceId};
use store::{Draft, State};

use super::Pools;

/// Looks at each service that is new or changed. One that cannot be given what it wishes keeps what it has, its
/// new tasks wait, and it is looked at again when something was freed.
pub(super) fn run(draft: &mut Draft, pools: &mut Pools) {
    for id in std::mem::take(&mut pools.waiting.services) {
        let Some(service) = draft.services.get(id).cloned() else { continue };
        let Some(endpoint) = allocate(draft, pools, &service) else {
            pools.waiting.lacking.services.insert(id);
            continue;
        };
        if service.endpoint.as_ref() != Some(&endpoint) {
            let mut service = Service::clone(&service);
            service.endpoint = Some(endpoint);
            note(pools, id, &service);
            draft.update(service);
        }
    }
}

fn note(pools: &mut Pools, id: ServiceId, service: &Service) {
    let freed = pools.ports.note(id, Some(service)) | pools.addresses.note_service(id, Some(service));
    pools.waiting.freed |= freed;
}

/// The service's endpoint as it should be; none if something is not to be had.
fn allocate(draft: &Draft, pools: &mut Pools, service: &Service) -> Option<Endpoint> {
    let before = service.endpoint.clone().unwrap_or_default();
    let spec = service.spec.endpoint.clone();
    let wished = spec.as_ref().map(|spec| spec.ports.as_slice()).unwrap_or_default();
    let ports = pools.ports.fill(service.id, wished, &before.ports)?;
    let mut virtual_ips = Vec::new();
    if spec.as_ref().is_none_or(|spec| spec.mode == ResolutionMode::Vip) {
        for network in networks_of(draft, service)? {
            if network.is_node_local() {
                continue;
            }
            let kept = before.virtual_ips.iter().find(|ip| ip.network_id == network.id);
            let addr = match kept {
                Some(kept) => kept.addr.clone(),
                None => pools.addresses.free(&network)?.into_iter().next()?,
            };
            virtual_ips.push(VirtualIp { network_id: network.id, addr });
        }
    }
    Some(Endpoint { spec, ports, virtual_ips })
}

/// The networks of a service's tasks, the routing mesh's first; none if one of them is not ready.
pub(super) fn networks_of(state: &State, service: &Service) -> Option<Vec<Arc<Network>>> {
    let mut networks = Vec::new();
    if needs_ingress(service) {
        networks.extend(ingress(state).cloned());
    }
    for config in attachments_of(service) {
        networks.push(Arc::clone(network(state, &config.target)?));
    }
    networks.iter().all(|network| network.driver_state.is_some()).then_some(networks)
}

/// The networks that a service's spec names, in the new or the old place.
fn attachments_of(service: &Service) -> &[NetworkAttachmentConfig] {
    let networks = &service.spec.task.networks;
    if networks.is_empty() { &service.spec.networks } else { networks }
}

/// True if some port of the service is open on all nodes.
pub(super) fn needs_ingress(service: &Service) -> bool {
    service.spec.endpoint.as_ref().is_some_and(|spec| {
        let meshed = spec.ports.iter().any(|port| port.publish_mode == PublishMode::Ingress);
        spec.mode == ResolutionMode::Vip && meshed
    })
}

/// The network of the routing mesh.
pub(super) fn ingress(state: &State) -> Option<&Arc<Network>> {
    state.networks.iter().find(|network| network.is_ingress())
}

/// The network that a spec names, by id or by name.
pub(super) fn network<'a>(state: &'a State, target: &str) -> Option<&'a Arc<Network>> {
    let by_id = target.parse().ok().and_then(|id: NetworkId| state.networks.get(id));
    by_id.or_else(|| state.networks.named(target).next())
}
