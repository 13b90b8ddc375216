//! Networks: created, removed (`control.md` section 11).

use std::net::IpAddr;
use std::sync::Arc;

use model::name::check_dns;
use model::network::{IpamConfig, IpamOptions, PREDEFINED_LABEL};
use model::spec::endpoint::NetworkAttachmentConfig;
use model::{
    Cx, Driver, Meta, Network, NetworkId, NetworkSpec, Refusal, RefusalKind, ServiceSpec, TaskState,
};
use store::{Draft, State};

use super::{not_now, taken};
use crate::leader::request::Answer;

/// Creates a network, unless its name is taken or it would be a second mesh.
pub(super) fn create(draft: &mut Draft, spec: NetworkSpec, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    check_spec(&spec)?;
    if draft.networks.named(&spec.annotations.name).next().is_some() {
        return Err(Refusal::new(RefusalKind::Unknown, "name conflicts with an existing object"));
    }
    let mesh = draft.networks.iter().find(|network| network.is_ingress());
    if let Some(mesh) = mesh.filter(|_| spec.ingress) {
        return Err(taken(format!("ingress network ({}) is already present", mesh.id)));
    }
    let id = NetworkId::random(cx.chance);
    draft.create(Network {
        id,
        meta: Meta::default(),
        spec,
        driver_state: None,
        ipam: None,
        pending_delete: false,
        extra: None,
    });
    let network = draft.networks.get(id).expect("it was drafted a moment ago");
    Ok(Answer::Network(Arc::clone(network)))
}

/// Removes a network that nobody uses.
pub(super) fn remove(draft: &mut Draft, id: NetworkId) -> Result<Answer, Refusal> {
    let network = draft.networks.get(id).cloned().ok_or_else(|| Refusal::not_found("network", id))?;
    if network.spec.annotations.labels.contains_key(PREDEFINED_LABEL) {
        let name = &network.spec.annotations.name;
        return Err(not_now(format!("{name} is a pre-defined network and cannot be removed")));
    }
    if network.is_ingress() {
        check_mesh_unused(draft)?;
    } else {
        check_unused(draft, id)?;
    }
    draft.remove(&network);
    Ok(Answer::Done)
}

fn check_spec(spec: &NetworkSpec) -> Result<(), Refusal> {
    check_dns(&spec.annotations.name)?;
    if spec.ingress && spec.attachable {
        return Err(Refusal::invalid("ingress network cannot be attachable"));
    }
    if spec.annotations.labels.contains_key(PREDEFINED_LABEL) {
        let message = format!(
            "label {PREDEFINED_LABEL} is for internally created predefined networks and cannot be applied by users"
        );
        return Err(Refusal::new(RefusalKind::Denied, message));
    }
    check_driver(spec.driver_config.as_ref())?;
    spec.ipam.as_ref().map_or(Ok(()), check_ipam)
}

fn check_driver(driver: Option<&Driver>) -> Result<(), Refusal> {
    if driver.is_some_and(|driver| driver.name.is_empty()) {
        return Err(Refusal::invalid("driver name: if driver is specified name is required"));
    }
    Ok(())
}

fn check_ipam(ipam: &IpamOptions) -> Result<(), Refusal> {
    check_driver(ipam.driver.as_ref())?;
    ipam.configs.iter().try_for_each(check_subnet)
}

fn check_subnet(config: &IpamConfig) -> Result<(), Refusal> {
    let IpamConfig { family: _, subnet, range, gateway, reserved: _ } = config;
    if subnet.is_empty() {
        return Err(Refusal::invalid("ipam configuration: subnet must be specified"));
    }
    let whole = Prefix::parse(subnet)
        .ok_or_else(|| Refusal::invalid(format!("ipam configuration: invalid subnet {subnet}")))?;
    if !range.is_empty() {
        let part = Prefix::parse(range)
            .ok_or_else(|| Refusal::invalid(format!("ipam configuration: invalid range {range}")))?;
        if !whole.holds(part.address) {
            let message = format!("ipam configuration: subnet {subnet} does not contain range {range}");
            return Err(Refusal::invalid(message));
        }
    }
    if !gateway.is_empty() {
        let address = gateway.parse().ok().or_else(|| Prefix::parse(gateway).map(|prefix| prefix.address));
        let address = address
            .ok_or_else(|| Refusal::invalid(format!("ipam configuration: invalid gateway {gateway}")))?;
        if !whole.holds(address) {
            let message = format!("ipam configuration: subnet {subnet} does not contain gateway {gateway}");
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

/// An address, and how many of its leading bits stand for a whole subnet.
#[derive(Clone, Copy)]
struct Prefix {
    address: IpAddr,
    length: u32,
}

impl Prefix {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u32 = length.parse().ok()?;
        (length <= bits(address).1).then_some(Self { address, length })
    }

    fn holds(self, address: IpAddr) -> bool {
        let ((mine, width), (other, other_width)) = (bits(self.address), bits(address));
        let differing = (mine ^ other).checked_shr(width - self.length).unwrap_or(0);
        width == other_width && differing == 0
    }
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn check_mesh_unused(state: &State) -> Result<(), Refusal> {
    let uses = |spec: &ServiceSpec| spec.endpoint.as_ref().is_some_and(super::references::needs_mesh);
    match state.services.iter().find(|service| uses(&service.spec)) {
        Some(service) => {
            let message =
                format!("ingress network cannot be removed because service {} depends on it", service.id);
            Err(not_now(message))
        }
        None => Ok(()),
    }
}

fn check_unused(state: &State, id: NetworkId) -> Result<(), Refusal> {
    let names = |config: &NetworkAttachmentConfig| config.target == id.as_str();
    let wished = |spec: &ServiceSpec| spec.task.networks.iter().chain(&spec.networks).any(names);
    if let Some(service) = state.services.iter().find(|service| wished(&service.spec)) {
        return Err(not_now(format!("network {id} is in use by service {}", service.id)));
    }
    let alive = state
        .tasks
        .iter()
        .filter(|task| task.status.state < TaskState::Complete && task.desired_state < TaskState::Shutdown);
    let mut attached = alive.filter(|task| {
        task.spec.networks.iter().any(names) || task.networks.iter().any(|place| place.network.id == id)
    });
    match attached.next() {
        Some(task) => Err(not_now(format!("network {id} is in use by task {}", task.id))),
        None => Ok(()),
    }
}
