//! What a task shall run, and under which conditions.

use crate::meta::{Driver, Payload};
use crate::spec::container::ContainerSpec;
use crate::spec::endpoint::NetworkAttachmentConfig;
use crate::spec::placement::Placement;
use crate::spec::resources::ResourceRequirements;
use crate::spec::restart::RestartPolicy;

/// What a task shall run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSpec {
    /// The thing itself.
    pub runtime: Runtime,
    /// What it needs and may take.
    pub resources: Option<ResourceRequirements>,
    /// Whether it is run again when it ends; absent means the defaults.
    pub restart: Option<RestartPolicy>,
    /// Where it may run.
    pub placement: Option<Placement>,
    /// Where its output goes; absent means the swarm's default, then the node's.
    pub log_driver: Option<Driver>,
    /// Which networks it joins.
    pub networks: Vec<NetworkAttachmentConfig>,
    /// A number that users raise to renew tasks although nothing else changed.
    pub force_update: u64,
    /// Objects it uses without mounting them.
    pub resource_references: Vec<ResourceReference>,
}

/// The kinds of things a task can run.
#[derive(Clone, Debug, PartialEq)]
pub enum Runtime {
    /// A container.
    Container(Box<ContainerSpec>),
    /// A place in a network for a container that no service owns.
    Attachment(AttachmentSpec),
    /// Something a plugin knows.
    Generic(GenericSpec),
}

impl Default for Runtime {
    fn default() -> Self {
        Self::Container(Box::default())
    }
}

/// A place in a network for a container that no service owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentSpec {
    /// The container.
    pub container_id: String,
}

/// Something a plugin knows how to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenericSpec {
    /// Which plugin.
    pub kind: String,
    /// What it shall do.
    pub payload: Option<Payload>,
}

/// An object that a task uses without mounting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceReference {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: ResourceKind,
}

/// The kinds of objects that tasks use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceKind {
    /// A task.
    #[default]
    Task,
    /// A secret.
    Secret,
    /// A config.
    Config,
    /// A volume.
    Volume,
}

impl TaskSpec {
    /// The container it shall run, if it is one.
    pub fn container(&self) -> Option<&ContainerSpec> {
        match &self.runtime {
            Runtime::Container(container) => Some(container),
            Runtime::Attachment(_) | Runtime::Generic(_) => None,
        }
    }
}
