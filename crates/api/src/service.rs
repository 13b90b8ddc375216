//! Services.

use model::service as nouns;
use model::service::{ServiceMode as Mode, UpdateState};
use model::{Chance, Labels, NetworkId};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::{is_zero, null_if_empty};
use crate::meta::ObjectVersion;
use crate::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PortConfig};
use crate::spec::task::TaskTemplate;
use crate::spec::update::UpdateConfig;
use crate::time::Time;
use crate::version::ApiVersion;

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Service {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// What is wished.
    pub spec: ServiceSpec,
    /// What was wished before.
    #[serde(skip_serializing_if = "is_zero")]
    pub previous_spec: Option<Box<ServiceSpec>>,
    /// Ports and addresses as allocated.
    pub endpoint: Endpoint,
    /// How far the latest update or rollback is.
    #[serde(skip_serializing_if = "is_zero")]
    pub update_status: Option<UpdateStatus>,
    /// How many tasks run, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub service_status: Option<ServiceStatus>,
    /// For jobs: which run this is.
    #[serde(skip_serializing_if = "is_zero")]
    pub job_status: Option<JobStatus>,
}

/// What a user wishes of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceSpec {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// What each task shall run.
    pub task_template: TaskTemplate,
    /// How many, and where.
    pub mode: ServiceMode,
    /// How to go from an older spec to this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub update_config: Option<UpdateConfig>,
    /// How to go back.
    #[serde(skip_serializing_if = "is_zero")]
    pub rollback_config: Option<UpdateConfig>,
    /// Networks in the place where old clients put them.
    #[serde(skip_serializing_if = "is_zero")]
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Names and ports.
    #[serde(skip_serializing_if = "is_zero")]
    pub endpoint_spec: Option<EndpointSpec>,
}

/// How many tasks, and where: at most one of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceMode {
    /// So many, anywhere.
    #[serde(skip_serializing_if = "is_zero")]
    pub replicated: Option<Replicated>,
    /// One on every node that fits.
    #[serde(skip_serializing_if = "is_zero")]
    pub global: Option<Global>,
    /// Run so many to completion, anywhere.
    #[serde(skip_serializing_if = "is_zero")]
    pub replicated_job: Option<ReplicatedJob>,
    /// Run one to completion on every node that fits.
    #[serde(skip_serializing_if = "is_zero")]
    pub global_job: Option<Global>,
}

/// So many tasks, anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Replicated {
    /// How many; absent means 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub replicas: Option<u64>,
}

/// One task on every node that fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {}

/// Run so many tasks to completion, anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReplicatedJob {
    /// At most so many at a time; absent means 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_concurrent: Option<u64>,
    /// So many in all; absent means as many as at a time.
    #[serde(skip_serializing_if = "is_zero")]
    pub total_completions: Option<u64>,
}

/// Ports and addresses of a service as allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Endpoint {
    /// The wish this was allocated for.
    pub spec: EndpointSpec,
    /// Its ports, published ones filled in.
    #[serde(skip_serializing_if = "is_zero")]
    pub ports: Vec<PortConfig>,
    /// One for each network.
    #[serde(rename = "VirtualIPs", skip_serializing_if = "is_zero")]
    pub virtual_ips: Vec<VirtualIp>,
}

/// A service's address in one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VirtualIp {
    /// The network.
    #[serde(rename = "NetworkID", skip_serializing_if = "is_zero")]
    pub network_id: String,
    /// In CIDR form.
    #[serde(skip_serializing_if = "is_zero")]
    pub addr: String,
}

/// How far an update or rollback is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateStatus {
    /// `updating`, `paused`, `completed`, `rollback_started`, `rollback_paused` or `rollback_completed`.
    #[serde(skip_serializing_if = "is_zero")]
    pub state: String,
    /// When it began.
    #[serde(skip_serializing_if = "is_zero")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "is_zero")]
    pub completed_at: Option<Time>,
    /// In a sentence.
    #[serde(skip_serializing_if = "is_zero")]
    pub message: String,
}

/// How many tasks of a service run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceStatus {
    /// So many run.
    pub running_tasks: u64,
    /// So many shall run.
    pub desired_tasks: u64,
    /// So many of a job are done.
    pub completed_tasks: u64,
}

/// Which run of a job this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobStatus {
    /// Counts the runs.
    pub job_iteration: ObjectVersion,
    /// When the run began.
    pub last_execution: Time,
}

/// The answer to the creation of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceCreated {
    /// The new service's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What the user should know.
    #[serde(skip_serializing_if = "is_zero")]
    pub warnings: Vec<String>,
}

/// The answer to the update of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceUpdated {
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}

impl ServiceSpec {
    /// Leaves out what a client of this version cannot have meant, and puts networks where they belong.
    pub fn adjust(&mut self, version: ApiVersion) {
        let Self { task_template: task, mode, networks, .. } = self;
        if version < ApiVersion::v(44) && task.networks.is_empty() {
            task.networks = std::mem::take(networks);
        }
        if version < ApiVersion::v(41) {
            mode.replicated_job = None;
            mode.global_job = None;
        }
        task.adjust(version);
    }

    /// The model's wish. A service without a name gets one by chance.
    pub fn into_model(self, chance: &mut Chance) -> Result<nouns::ServiceSpec, ApiError> {
        let Self {
            name,
            labels,
            task_template,
            mode,
            update_config,
            rollback_config,
            networks,
            endpoint_spec,
        } = self;
        let name = if name.is_empty() { crate::name::random(chance) } else { name };
        Ok(nouns::ServiceSpec {
            annotations: crate::meta::annotations(name, labels),
            task: task_template.into_model()?,
            mode: mode.into_model()?,
            update: update_config.map(|update| update.into_model("update")).transpose()?,
            rollback: rollback_config.map(|rollback| rollback.into_model("rollback")).transpose()?,
            networks: networks.into_iter().map(NetworkAttachmentConfig::into_model).collect(),
            endpoint: endpoint_spec.map(EndpointSpec::into_model).transpose()?,
        })
    }
}

impl From<&nouns::ServiceSpec> for ServiceSpec {
    fn from(spec: &nouns::ServiceSpec) -> Self {
        let nouns::ServiceSpec { annotations, task, mode, update, rollback, networks, endpoint } = spec;
        let mut task_template = TaskTemplate::from(task);
        task_template.runtime = match task.runtime {
            model::Runtime::Container(_) => "container",
            model::Runtime::Attachment(_) => "attachment",
            model::Runtime::Generic(_) => "plugin",
        }
        .to_owned();
        Self {
            name: annotations.name.clone(),
            labels: annotations.labels.clone(),
            task_template,
            mode: ServiceMode::from(mode),
            update_config: update.as_ref().map(UpdateConfig::from),
            rollback_config: rollback.as_ref().map(UpdateConfig::from),
            networks: networks.iter().map(NetworkAttachmentConfig::from).collect(),
            endpoint_spec: endpoint.as_ref().map(EndpointSpec::from),
        }
    }
}

impl ServiceMode {
    fn into_model(self) -> Result<Mode, ApiError> {
        let Self { replicated, global, replicated_job, global_job } = self;
        match (replicated, global, replicated_job, global_job) {
            (None, None, None, None) => Ok(Mode::default()),
            (Some(Replicated { replicas }), None, None, None) => {
                Ok(Mode::Replicated { replicas: replicas.unwrap_or(1) })
            }
            (None, Some(Global {}), None, None) => Ok(Mode::Global),
            (None, None, Some(ReplicatedJob { max_concurrent, total_completions }), None) => {
                let max_concurrent = max_concurrent.unwrap_or(1);
                let total_completions = total_completions.unwrap_or(max_concurrent);
                Ok(Mode::ReplicatedJob { max_concurrent, total_completions })
            }
            (None, None, None, Some(Global {})) => Ok(Mode::GlobalJob),
            _ => Err(ApiError::invalid("must specify only one service mode")),
        }
    }
}

impl From<&Mode> for ServiceMode {
    fn from(mode: &Mode) -> Self {
        match *mode {
            Mode::Replicated { replicas } => {
                Self { replicated: Some(Replicated { replicas: Some(replicas) }), ..Self::default() }
            }
            Mode::Global => Self { global: Some(Global {}), ..Self::default() },
            Mode::ReplicatedJob { max_concurrent, total_completions } => {
                let (max_concurrent, total_completions) = (Some(max_concurrent), Some(total_completions));
                let job = ReplicatedJob { max_concurrent, total_completions };
                Self { replicated_job: Some(job), ..Self::default() }
            }
            Mode::GlobalJob => Self { global_job: Some(Global {}), ..Self::default() },
        }
    }
}

impl From<&model::Service> for Service {
    fn from(service: &model::Service) -> Self {
        let model::Service {
            id,
            meta,
            spec,
            spec_version: _,
            previous_spec,
            previous_spec_version: _,
            endpoint,
            update_status,
            pending_delete: _,
            job_status,
        } = service;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: ServiceSpec::from(spec),
            previous_spec: previous_spec.as_ref().map(|spec| Box::new(ServiceSpec::from(&**spec))),
            // Who is reached in no way shows no way of being reached.
            endpoint: endpoint
                .as_ref()
                .filter(|endpoint| !endpoint.ports.is_empty() || !spec.task.networks.is_empty())
                .map(Endpoint::from)
                .unwrap_or_default(),
            update_status: update_status.as_ref().map(UpdateStatus::from),
            service_status: None,
            job_status: job_status.map(JobStatus::from),
        }
    }
}

impl From<&nouns::Endpoint> for Endpoint {
    fn from(nouns::Endpoint { spec, ports, virtual_ips }: &nouns::Endpoint) -> Self {
        Self {
            spec: spec.as_ref().map(EndpointSpec::from).unwrap_or_default(),
            ports: ports.iter().map(PortConfig::from).collect(),
            virtual_ips: virtual_ips.iter().map(VirtualIp::from).collect(),
        }
    }
}

impl From<&nouns::VirtualIp> for VirtualIp {
    fn from(nouns::VirtualIp { network_id, addr }: &nouns::VirtualIp) -> Self {
        let network_id: &NetworkId = network_id;
        Self { network_id: network_id.to_string(), addr: addr.clone() }
    }
}

impl From<&nouns::UpdateStatus> for UpdateStatus {
    fn from(status: &nouns::UpdateStatus) -> Self {
        let nouns::UpdateStatus { state, started_at, completed_at, message } = status;
        let state = match state {
            UpdateState::Unknown => "",
            UpdateState::Updating => "updating",
            UpdateState::Paused => "paused",
            UpdateState::Completed => "completed",
            UpdateState::RollbackStarted => "rollback_started",
            UpdateState::RollbackPaused => "rollback_paused",
            UpdateState::RollbackCompleted => "rollback_completed",
        };
        Self {
            state: state.to_owned(),
            started_at: started_at.map(Time::from),
            completed_at: completed_at.map(Time::from),
            message: message.clone(),
        }
    }
}

impl From<nouns::JobStatus> for JobStatus {
    fn from(nouns::JobStatus { job_iteration, last_execution }: nouns::JobStatus) -> Self {
        Self { job_iteration: job_iteration.into(), last_execution: last_execution.into() }
    }
}
