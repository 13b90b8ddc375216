//! How a service goes from one spec to the next, or back.

use model::spec::update as spec;
use model::spec::update::{FailureAction, UpdateOrder};
use model::{Duration, Refusal};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;
use crate::time::nanos;

/// How a service goes from one spec to the next, or back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateConfig {
    /// How many slots at once; 0 means all.
    pub parallelism: u64,
    /// How long to wait after a slot, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay: i64,
    /// `pause`, `continue` or `rollback`.
    #[serde(skip_serializing_if = "is_zero")]
    pub failure_action: String,
    /// How long a new task is watched, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub monitor: i64,
    /// The part that may fail, 0 to 1.
    #[serde(serialize_with = "ratio")]
    pub max_failure_ratio: f32,
    /// `stop-first` or `start-first`.
    pub order: String,
}

/// Writes a whole ratio without decimals, as Go does.
fn ratio<S: serde::Serializer>(value: &f32, to: S) -> Result<S::Ok, S::Error> {
    if *value == value.trunc() { to.serialize_i64(*value as i64) } else { to.serialize_f32(*value) }
}

impl UpdateConfig {
    /// The model's settings; `field` names the durations in refusals: `update` or `rollback`.
    pub fn into_model(self, field: &str) -> Result<spec::UpdateConfig, ApiError> {
        let Self { parallelism, delay, failure_action, monitor, max_failure_ratio, order } = self;
        let whole = |value: i64, what: &str| {
            let refuse = || Refusal::invalid(format!("TaskSpec: {field}-{what} cannot be negative"));
            u64::try_from(value).map(Duration::from_nanos).map_err(|_| refuse())
        };
        let monitor = if monitor == 0 { None } else { Some(whole(monitor, "monitor")?) };
        Ok(spec::UpdateConfig {
            parallelism,
            delay: whole(delay, "delay")?,
            failure_action: action_from(&failure_action)?,
            monitor,
            max_failure_ratio,
            order: order_from(&order)?,
        })
    }
}

impl From<&spec::UpdateConfig> for UpdateConfig {
    fn from(update: &spec::UpdateConfig) -> Self {
        let spec::UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order } =
            update;
        let failure_action = match failure_action {
            FailureAction::Pause => "pause",
            FailureAction::Continue => "continue",
            FailureAction::Rollback => "rollback",
        };
        let order = match order {
            UpdateOrder::StopFirst => "stop-first",
            UpdateOrder::StartFirst => "start-first",
        };
        Self {
            parallelism: *parallelism,
            delay: nanos(*delay),
            failure_action: failure_action.to_owned(),
            monitor: monitor.map_or(0, nanos),
            max_failure_ratio: *max_failure_ratio,
            order: order.to_owned(),
        }
    }
}

fn action_from(word: &str) -> Result<FailureAction, ApiError> {
    match word {
        "" | "pause" => Ok(FailureAction::Pause),
        "continue" => Ok(FailureAction::Continue),
        "rollback" => Ok(FailureAction::Rollback),
        _ => Err(ApiError::invalid(format!("unrecognized update failure action {word}"))),
    }
}

fn order_from(word: &str) -> Result<UpdateOrder, ApiError> {
    match word {
        "" | "stop-first" => Ok(UpdateOrder::StopFirst),
        "start-first" => Ok(UpdateOrder::StartFirst),
        _ => Err(ApiError::invalid(format!("unrecognized update order {word}"))),
    }
}
