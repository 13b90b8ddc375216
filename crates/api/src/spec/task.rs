//! What a task shall run, and under which conditions.

use model::spec::restart;
use model::spec::restart::RestartCondition;
use model::spec::task::{AttachmentSpec, GenericSpec, TaskSpec};
use model::{Driver, Duration, Refusal, Runtime};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;
use crate::meta::DriverConfig;
use crate::spec::container::ContainerSpec;
use crate::spec::endpoint::NetworkAttachmentConfig;
use crate::spec::placement::Placement;
use crate::spec::resources::ResourceRequirements;
use crate::time::nanos;
use crate::version::ApiVersion;

/// What a task shall run, and under which conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskTemplate {
    /// A container.
    #[serde(skip_serializing_if = "is_zero")]
    pub container_spec: Option<ContainerSpec>,
    /// Something a plugin knows: accepted only to be refused with a sentence.
    #[serde(skip_serializing_if = "is_zero")]
    pub plugin_spec: Option<serde_json::Value>,
    /// A place in a network for a container that no service owns.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_attachment_spec: Option<NetworkAttachmentSpec>,
    /// What it needs and may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub resources: Option<ResourceRequirements>,
    /// Whether it is run again when it ends.
    #[serde(skip_serializing_if = "is_zero")]
    pub restart_policy: Option<RestartPolicy>,
    /// Where it may run.
    #[serde(skip_serializing_if = "is_zero")]
    pub placement: Option<Placement>,
    /// Which networks it joins.
    #[serde(skip_serializing_if = "is_zero")]
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Where its output goes.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_driver: Option<DriverConfig>,
    /// A number that users raise to renew tasks although nothing else changed.
    pub force_update: u64,
    /// `container`, `plugin` or `attachment`.
    #[serde(skip_serializing_if = "is_zero")]
    pub runtime: String,
}

/// A place in a network for a container that no service owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkAttachmentSpec {
    /// The container.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
}

/// Whether a task that ended is run again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `none`, `on-failure` or `any`.
    #[serde(skip_serializing_if = "is_zero")]
    pub condition: String,
    /// How long to wait, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay: Option<i64>,
    /// How often; 0 means without end.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_attempts: Option<u64>,
    /// Only attempts within this time count, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub window: Option<i64>,
}

impl TaskTemplate {
    /// The model's task.
    pub fn into_model(self) -> Result<TaskSpec, ApiError> {
        let Self {
            container_spec,
            plugin_spec,
            network_attachment_spec,
            resources,
            restart_policy,
            placement,
            networks,
            log_driver,
            force_update,
            runtime,
        } = self;
        let (resources, pids) = match resources {
            Some(resources) => resources.into_model().map(|(resources, pids)| (Some(resources), pids))?,
            None => (None, 0),
        };
        let runtime = match (runtime.as_str(), container_spec, plugin_spec, network_attachment_spec) {
            ("" | "container", Some(container), None, None) => {
                Runtime::Container(Box::new(container.into_model(pids)?))
            }
            ("" | "plugin", None, Some(_), None) => return Err(ApiError::not_built("services of plugins")),
            ("" | "attachment", None, None, Some(NetworkAttachmentSpec { container_id })) => {
                Runtime::Attachment(AttachmentSpec { container_id })
            }
            ("" | "container" | "plugin" | "attachment", ..) => {
                return Err(ApiError::invalid("TaskTemplate: mismatched Runtime and *Spec fields"));
            }
            (other, ..) => {
                return Err(ApiError::invalid(format!(
                    "TaskTemplate.Runtime: unsupported runtime \"{other}\""
                )));
            }
        };
        Ok(TaskSpec {
            runtime,
            resources,
            restart: restart_policy.map(RestartPolicy::into_model).transpose()?,
            placement: placement.map(Into::into),
            log_driver: log_driver.map(Driver::from),
            networks: networks.into_iter().map(NetworkAttachmentConfig::into_model).collect(),
            force_update,
            resource_references: Vec::new(), // no wish of this API
        })
    }
}

impl From<&TaskSpec> for TaskTemplate {
    /// Without `Runtime`, which only services show.
    fn from(task: &TaskSpec) -> Self {
        let TaskSpec {
            runtime,
            resources,
            restart,
            placement,
            log_driver,
            networks,
            force_update,
            resource_references: _,
        } = task;
        let pids = task.container().map_or(0, |container| container.pids_limit);
        let (container_spec, plugin_spec, network_attachment_spec) = match runtime {
            Runtime::Container(container) => (Some(ContainerSpec::from(&**container)), None, None),
            Runtime::Attachment(AttachmentSpec { container_id }) => {
                (None, None, Some(NetworkAttachmentSpec { container_id: container_id.clone() }))
            }
            Runtime::Generic(GenericSpec { kind, payload: _ }) => {
                (None, Some(serde_json::json!({ "name": kind })), None)
            }
        };
        Self {
            container_spec,
            plugin_spec,
            network_attachment_spec,
            resources: ResourceRequirements::from_model(resources.as_ref(), pids),
            restart_policy: restart.as_ref().map(RestartPolicy::from),
            placement: placement.as_ref().map(Placement::from),
            networks: networks.iter().map(NetworkAttachmentConfig::from).collect(),
            log_driver: log_driver.as_ref().map(DriverConfig::from),
            force_update: *force_update,
            runtime: String::new(),
        }
    }
}

impl RestartPolicy {
    fn into_model(self) -> Result<restart::RestartPolicy, ApiError> {
        let Self { condition, delay, max_attempts, window } = self;
        let whole = |nanos: i64, what: &str| {
            let refuse = || Refusal::invalid(format!("TaskSpec: restart-{what} cannot be negative"));
            u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| refuse())
        };
        Ok(restart::RestartPolicy {
            condition: condition_from(&condition)?,
            delay: delay.map(|nanos| whole(nanos, "delay")).transpose()?,
            max_attempts: max_attempts.unwrap_or(0),
            window: window.map(|nanos| whole(nanos, "window")).transpose()?,
        })
    }
}

impl From<&restart::RestartPolicy> for RestartPolicy {
    fn from(policy: &restart::RestartPolicy) -> Self {
        let restart::RestartPolicy { condition, delay, max_attempts, window } = policy;
        let condition = match condition {
            RestartCondition::None => "none",
            RestartCondition::OnFailure => "on-failure",
            RestartCondition::Any => "any",
        };
        Self {
            condition: condition.to_owned(),
            delay: delay.map(nanos),
            max_attempts: Some(*max_attempts),
            window: window.map(nanos),
        }
    }
}

fn condition_from(word: &str) -> Result<RestartCondition, ApiError> {
    match word {
        "" | "any" => Ok(RestartCondition::Any),
        "none" => Ok(RestartCondition::None),
        "on-failure" => Ok(RestartCondition::OnFailure),
        _ => Err(ApiError::invalid(format!("invalid RestartCondition: \"{word}\""))),
    }
}

impl TaskTemplate {
    /// Leaves out what a client of this version cannot have meant.
    pub fn adjust(&mut self, version: ApiVersion) {
        let Self { container_spec, resources, placement, .. } = self;
        if let Some(container) = container_spec {
            container.adjust(version);
        }
        if let Some(resources) = resources {
            if version < ApiVersion::v(52) {
                (resources.swap_bytes, resources.memory_swappiness) = (None, None);
            }
            if let (true, Some(limits)) = (version < ApiVersion::v(41), &mut resources.limits) {
                limits.pids = 0;
            }
        }
        if let (true, Some(placement)) = (version < ApiVersion::v(40), placement) {
            placement.max_replicas = 0;
        }
    }
}
