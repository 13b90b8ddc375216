//! What a task wants of a node, read once for all tasks that want the same.

use model::constraint::Constraint;
use model::spec::endpoint::{Protocol, PublishMode};
use model::spec::mount::MountKind;
use model::spec::placement::Preference;
use model::spec::resources::{GenericResource, Platform};
use model::task::VolumeAttachment;
use model::{ServiceId, Task, Version};
use store::State;

use super::filters::constraints;
use super::preference::Label;

/// What a task wants of a node.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// Whose task it is.
    pub(super) service: Option<ServiceId>,
    /// Of which version.
    pub(super) version: Option<Version>,
    /// Processor time to set aside.
    pub(super) nano_cpus: i64,
    /// Memory to set aside.
    pub(super) memory_bytes: i64,
    /// Other things to set aside: kinds and how many.
    pub(super) generic: Vec<(String, i64)>,
    /// Plugins: kinds and names.
    pub(super) plugins: Vec<(&'static str, String)>,
    /// The driver of its log, if it names one.
    pub(super) log_driver: Option<String>,
    /// What the node must be.
    pub(super) constraints: Vec<Constraint>,
    /// What its image was made for.
    pub(super) platforms: Vec<Platform>,
    /// Ports of the node itself.
    pub(super) host_ports: Vec<(Protocol, u32)>,
    /// The most tasks of its service on one node; 0 means no bound.
    pub(super) max_replicas: u64,
    /// Cluster volumes found for its mounts.
    pub(super) volumes: Vec<VolumeAttachment>,
    /// Whether some mount has no cluster volume.
    pub(super) lacks_volume: bool,
    /// Over which labels to spread.
    pub(super) spread: Vec<Label>,
}

impl Wish {
    /// What this task wants.
    pub(super) fn of(state: &State, task: &Task) -> Self {
        let mut wish = Self { service: task.service_id, version: task.spec_version, ..Self::default() };
        wish.take_resources(task);
        wish.take_plugins(task);
        wish.take_placement(task);
        wish.take_volumes(state, task);
        let ports = task.endpoint.iter().flat_map(|endpoint| &endpoint.ports);
        let host = ports.filter(|port| port.publish_mode == PublishMode::Host && port.published_port != 0);
        wish.host_ports = host.map(|port| (port.protocol, port.published_port)).collect();
        wish
    }

    fn take_resources(&mut self, task: &Task) {
        let reserved = task.spec.resources.as_ref().and_then(|resources| resources.reservations.as_ref());
        let Some(reserved) = reserved else { return };
        self.nano_cpus = reserved.nano_cpus;
        self.memory_bytes = reserved.memory_bytes;
        self.generic = reserved
            .generic
            .iter()
            .map(|thing| match thing {
                GenericResource::Named { kind, .. } => (kind.clone(), 1),
                GenericResource::Discrete { kind, value } => (kind.clone(), *value),
            })
            .collect();
    }

    fn take_plugins(&mut self, task: &Task) {
        let mounts = task.spec.container().map(|container| container.mounts.as_slice()).unwrap_or_default();
        let volumes = mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
        let drivers = volumes.filter_map(|mount| mount.volume.as_ref()?.driver.as_ref());
        let foreign = drivers.filter(|driver| !driver.name.is_empty() && driver.name != "local");
        self.plugins.extend(foreign.map(|driver| ("Volume", driver.name.clone())));
        let networks = task.networks.iter().filter_map(|it| it.network.driver_state.as_ref());
        let networks = networks.filter(|driver| !driver.name.is_empty());
        self.plugins.extend(networks.map(|driver| ("Network", driver.name.clone())));
        let log = task.log_driver.as_ref().map(|driver| driver.name.clone());
        self.log_driver = log.filter(|name| !name.is_empty() && name != "none");
    }

    fn take_placement(&mut self, task: &Task) {
        let Some(placement) = task.spec.placement.as_ref() else { return };
        self.constraints = constraints(&placement.constraints).unwrap_or_default();
        self.platforms.clone_from(&placement.platforms);
        self.max_replicas = placement.max_replicas;
        self.spread = placement
            .preferences
            .iter()
            .filter_map(|preference| match preference {
                Preference::Spread(descriptor) => Label::parse(descriptor),
            })
            .collect();
    }

    fn take_volumes(&mut self, state: &State, task: &Task) {
        let mounts = task.spec.container().map(|container| container.mounts.as_slice()).unwrap_or_default();
        for mount in mounts.iter().filter(|mount| mount.kind == MountKind::Cluster) {
            let group = mount.source.strip_prefix("group:");
            let usable = state.volumes.iter().find(|volume| {
                let named = match group {
                    Some(group) => volume.spec.group == group,
                    None => volume.spec.annotations.name == mount.source,
                };
                let ready = volume.info.as_ref().is_some_and(|info| !info.volume_id.is_empty());
                named && ready && !volume.pending_delete && volume.spec.availability == Default::default()
            });
            match usable {
                Some(volume) => self.volumes.push(VolumeAttachment {
                    id: volume.id,
                    source: mount.source.clone(),
                    target: mount.target.clone(),
                }),
                None => self.lacks_volume = true,
            }
        }
    }
}
