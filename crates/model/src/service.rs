//! A service: one wish, and how far it is fulfilled.

use crate::id::{NetworkId, ServiceId};
use crate::meta::{Annotations, Meta, Version};
use crate::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PortConfig};
use crate::spec::task::TaskSpec;
use crate::spec::update::UpdateConfig;
use crate::time::Timestamp;

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Version and times.
    pub meta: Meta,
    /// What is wished.
    pub spec: ServiceSpec,
    /// The version of the store from which `spec` was given: tasks of an older one are to be renewed.
    pub spec_version: Option<Version>,
    /// What was wished before.
    pub previous_spec: Option<Box<ServiceSpec>>,
    /// The version that belongs to `previous_spec`.
    pub previous_spec_version: Option<Version>,
    /// Ports and addresses as allocated.
    pub endpoint: Option<Endpoint>,
    /// How far the latest update or rollback is.
    pub update_status: Option<UpdateStatus>,
    /// Marked for deletion by a manager that does so in two steps.
    pub pending_delete: bool,
    /// For jobs: which run this is.
    pub job_status: Option<JobStatus>,
}

/// What a user wishes of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// What each task shall run.
    pub task: TaskSpec,
    /// How many, and where.
    pub mode: ServiceMode,
    /// How to go from an older spec to this one; absent means the defaults.
    pub update: Option<UpdateConfig>,
    /// How to go back; absent means the defaults.
    pub rollback: Option<UpdateConfig>,
    /// Networks in the place where old clients put them (before `task.networks`).
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Names and ports; absent means virtual IPs and no ports.
    pub endpoint: Option<EndpointSpec>,
}

/// How many tasks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceMode {
    /// So many, anywhere.
    Replicated {
        /// How many.
        replicas: u64,
    },
    /// One on every node that fits.
    Global,
    /// Run so many to completion, anywhere.
    ReplicatedJob {
        /// At most so many at a time.
        max_concurrent: u64,
        /// So many in all.
        total_completions: u64,
    },
    /// Run one to completion on every node that fits.
    GlobalJob,
}

impl Default for ServiceMode {
    fn default() -> Self {
        Self::Replicated { replicas: 1 }
    }
}

/// Ports and addresses of a service as allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The wish this was allocated for.
    pub spec: Option<EndpointSpec>,
    /// Its ports, published ones filled in.
    pub ports: Vec<PortConfig>,
    /// One for each network, in VIP mode.
    pub virtual_ips: Vec<VirtualIp>,
}

/// A service's address in one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualIp {
    /// The network.
    pub network_id: NetworkId,
    /// In CIDR form: `10.0.1.2/24`.
    pub addr: String,
}

/// How far an update or rollback is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateStatus {
    /// In one word.
    pub state: UpdateState,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// In a sentence.
    pub message: String,
}

/// How far an update or rollback is, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateState {
    /// Never said.
    #[default]
    Unknown,
    /// On its way.
    Updating,
    /// Halted by failures.
    Paused,
    /// Done.
    Completed,
    /// On its way back.
    RollbackStarted,
    /// Halted on its way back.
    RollbackPaused,
    /// Back.
    RollbackCompleted,
}

/// Which run of a job this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// Counts the runs.
    pub job_iteration: Version,
    /// When the run began.
    pub last_execution: Option<Timestamp>,
}
