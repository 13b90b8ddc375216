//! A task: one attempt to run one slot of a service.

use crate::id::{NodeId, ServiceId, TaskId, VolumeId};
use crate::meta::{Annotations, Driver, Meta, Version};
use crate::network::NetworkAttachment;
use crate::service::Endpoint;
use crate::spec::endpoint::PortConfig;
use crate::spec::resources::GenericResource;
use crate::spec::task::{Runtime, TaskSpec};
use crate::state::TaskState;
use crate::time::Timestamp;

/// One attempt to run one slot of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Version and times.
    pub meta: Meta,
    /// What to run: a copy of the service's, which never changes.
    pub spec: TaskSpec,
    /// Whose it is; absent for network attachments.
    pub service_id: Option<ServiceId>,
    /// Which place it fills: from 1 for replicated services, from 0 for jobs, always 0 for global ones.
    pub slot: u64,
    /// Where it runs; absent until scheduled. It never changes afterwards.
    pub node_id: Option<NodeId>,
    /// Its own name, mostly empty: see [`Task::name`].
    pub annotations: Annotations,
    /// Name and labels of the service.
    pub service_annotations: Annotations,
    /// How it is.
    pub status: TaskStatus,
    /// How it shall be. Only ever grows.
    pub desired_state: TaskState,
    /// Its addresses.
    pub networks: Vec<NetworkAttachment>,
    /// The service's ports and addresses when it was made.
    pub endpoint: Option<Endpoint>,
    /// Where its output goes.
    pub log_driver: Option<Driver>,
    /// Which version of the service's spec it was made from.
    pub spec_version: Option<Version>,
    /// What the scheduler set aside for it.
    pub assigned_generic_resources: Vec<GenericResource>,
    /// Which run of a job it belongs to.
    pub job_iteration: Option<Version>,
    /// Cluster volumes chosen for its mounts.
    pub volumes: Vec<VolumeAttachment>,
}

/// How a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskStatus {
    /// Since when, by the clock of who reported it.
    pub timestamp: Option<Timestamp>,
    /// In one word.
    pub state: TaskState,
    /// What happened.
    pub message: String,
    /// What went wrong; empty if nothing did.
    pub err: String,
    /// The container, from `Starting` on.
    pub container: Option<ContainerStatus>,
    /// The ports published on the node itself.
    pub port_status: Option<PortStatus>,
    /// The manager that took the report.
    pub applied_by: Option<NodeId>,
    /// When that manager took it, by its clock.
    pub applied_at: Option<Timestamp>,
}

/// A task's container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// 64 hexadecimal letters.
    pub container_id: String,
    /// The process, 0 if there is none.
    pub pid: i32,
    /// How it ended.
    pub exit_code: i32,
}

/// Ports published on the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortStatus {
    /// With the ports really taken.
    pub ports: Vec<PortConfig>,
}

/// A cluster volume chosen for a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeAttachment {
    /// The volume.
    pub id: VolumeId,
    /// The mount's source.
    pub source: String,
    /// The mount's target.
    pub target: String,
}

impl Task {
    /// The name users see, which is also the container's: `web.1.<task id>`, or with the node's id for global services.
    pub fn name(&self) -> String {
        if !self.annotations.name.is_empty() {
            return self.annotations.name.clone();
        }
        let service = &self.service_annotations.name;
        match (self.slot, self.node_id) {
            (0, Some(node)) => format!("{service}.{node}.{}", self.id),
            (slot, _) => format!("{service}.{slot}.{}", self.id),
        }
    }

    /// The kind of thing it runs: `container`, `attachment`, or a generic runtime's kind in lower case.
    pub fn runtime_name(&self) -> String {
        match &self.spec.runtime {
            Runtime::Container(_) => "container".to_owned(),
            Runtime::Attachment(_) => "attachment".to_owned(),
            Runtime::Generic(generic) => generic.kind.to_lowercase(),
        }
    }

    /// When it came into its present state: by the leader's clock if known, else by the node's.
    pub fn state_since(&self) -> Timestamp {
        self.status.applied_at.or(self.status.timestamp).unwrap_or_default()
    }
}
