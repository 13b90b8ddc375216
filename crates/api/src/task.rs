//! Tasks.

use model::task as nouns;
use model::{Annotations, Labels};
use serde::{Deserialize, Serialize};

use crate::json::is_zero;
use crate::meta::ObjectVersion;
use crate::network::NetworkAttachment;
use crate::spec::endpoint::PortConfig;
use crate::spec::resources::GenericResource;
use crate::spec::task::TaskTemplate;
use crate::time::Time;

/// One attempt to run one slot of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Task {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// Its own name, mostly empty.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its own labels.
    pub labels: Labels,
    /// What to run.
    pub spec: TaskTemplate,
    /// Whose it is.
    #[serde(rename = "ServiceID", skip_serializing_if = "is_zero")]
    pub service_id: String,
    /// Which place it fills.
    #[serde(skip_serializing_if = "is_zero")]
    pub slot: u64,
    /// Where it runs.
    #[serde(rename = "NodeID", skip_serializing_if = "is_zero")]
    pub node_id: String,
    /// How it is.
    pub status: TaskStatus,
    /// How it shall be.
    #[serde(skip_serializing_if = "is_zero")]
    pub desired_state: String,
    /// Its addresses.
    #[serde(skip_serializing_if = "is_zero")]
    pub networks_attachments: Vec<NetworkAttachment>,
    /// What the scheduler set aside for it.
    #[serde(skip_serializing_if = "is_zero")]
    pub generic_resources: Vec<GenericResource>,
    /// Which run of a job it belongs to.
    #[serde(skip_serializing_if = "is_zero")]
    pub job_iteration: Option<ObjectVersion>,
    /// Cluster volumes chosen for its mounts.
    #[serde(skip_serializing_if = "is_zero")]
    pub volumes: Vec<VolumeAttachment>,
}

/// How a task is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskStatus {
    /// Since when.
    pub timestamp: Time,
    /// In one word.
    #[serde(skip_serializing_if = "is_zero")]
    pub state: String,
    /// What happened.
    #[serde(skip_serializing_if = "is_zero")]
    pub message: String,
    /// What went wrong.
    #[serde(skip_serializing_if = "is_zero")]
    pub err: String,
    /// The container.
    #[serde(skip_serializing_if = "is_zero")]
    pub container_status: Option<ContainerStatus>,
    /// The ports published on the node itself.
    pub port_status: PortStatus,
}

/// A task's container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerStatus {
    /// 64 hexadecimal letters.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The process, 0 if there is none.
    #[serde(rename = "PID")]
    pub pid: i32,
    /// How it ended.
    pub exit_code: i32,
}

/// Ports published on the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortStatus {
    /// With the ports really taken.
    #[serde(skip_serializing_if = "is_zero")]
    pub ports: Vec<PortConfig>,
}

/// A cluster volume chosen for a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeAttachment {
    /// The volume.
    #[serde(rename = "ID", skip_serializing_if = "is_zero")]
    pub id: String,
    /// The mount's source.
    #[serde(skip_serializing_if = "is_zero")]
    pub source: String,
    /// The mount's target.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
}

impl From<&model::Task> for Task {
    fn from(task: &model::Task) -> Self {
        let model::Task {
            id,
            meta,
            spec,
            service_id,
            slot,
            node_id,
            annotations: Annotations { name, labels, indices: _ },
            service_annotations: _,
            status,
            desired_state,
            networks,
            endpoint: _,
            log_driver: _,
            spec_version: _,
            assigned_generic_resources,
            job_iteration,
            volumes,
        } = task;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            name: name.clone(),
            labels: labels.clone(),
            spec: TaskTemplate::from(spec),
            service_id: service_id.map(|id| id.to_string()).unwrap_or_default(),
            slot: *slot,
            node_id: node_id.map(|id| id.to_string()).unwrap_or_default(),
            status: TaskStatus::from(status),
            desired_state: desired_state.word().to_owned(),
            networks_attachments: networks.iter().map(NetworkAttachment::from).collect(),
            generic_resources: assigned_generic_resources.iter().map(GenericResource::from).collect(),
            job_iteration: job_iteration.map(Into::into),
            volumes: volumes.iter().map(VolumeAttachment::from).collect(),
        }
    }
}

impl From<&nouns::TaskStatus> for TaskStatus {
    fn from(status: &nouns::TaskStatus) -> Self {
        let nouns::TaskStatus {
            timestamp,
            state,
            message,
            err,
            container,
            port_status,
            applied_by: _,
            applied_at: _,
        } = status;
        Self {
            timestamp: (*timestamp).into(),
            state: state.word().to_owned(),
            message: message.clone(),
            err: err.clone(),
            container_status: container.as_ref().map(ContainerStatus::from),
            port_status: port_status.as_ref().map(PortStatus::from).unwrap_or_default(),
        }
    }
}

impl From<&nouns::ContainerStatus> for ContainerStatus {
    fn from(nouns::ContainerStatus { container_id, pid, exit_code }: &nouns::ContainerStatus) -> Self {
        Self { container_id: container_id.clone(), pid: *pid, exit_code: *exit_code }
    }
}

impl From<&nouns::PortStatus> for PortStatus {
    fn from(nouns::PortStatus { ports }: &nouns::PortStatus) -> Self {
        Self { ports: ports.iter().map(PortConfig::from).collect() }
    }
}

impl From<&nouns::VolumeAttachment> for VolumeAttachment {
    fn from(nouns::VolumeAttachment { id, source, target }: &nouns::VolumeAttachment) -> Self {
        Self { id: id.to_string(), source: source.clone(), target: target.clone() }
    }
}
