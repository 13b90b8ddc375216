//! `--restart-…`: whether tasks that ended are run again.

use api::spec::task::{RestartPolicy, TaskTemplate};
use clap::Args;

use super::values::duration;

/// Whether tasks that ended are run again.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Restart {
    /// When: none, on-failure, any
    #[arg(long, value_name = "WORD")]
    restart_condition: Option<String>,
    /// How long to wait before
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    restart_delay: Option<i64>,
    /// How often; 0 means without end
    #[arg(long, value_name = "COUNT")]
    restart_max_attempts: Option<u64>,
    /// Only attempts within this time count
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    restart_window: Option<i64>,
}

/// How long to wait unless someone says otherwise, in nanoseconds.
const DELAY: i64 = 5_000_000_000;

impl Restart {
    /// Writes what is given into the task.
    pub(crate) fn apply(self, task: &mut TaskTemplate) {
        let Self { restart_condition, restart_delay, restart_max_attempts, restart_window } = self;
        let is_given = restart_condition.is_some()
            || restart_delay.is_some()
            || restart_max_attempts.is_some()
            || restart_window.is_some();
        if !is_given {
            return;
        }
        let usual = || RestartPolicy {
            condition: "any".to_owned(),
            delay: Some(DELAY),
            max_attempts: Some(0),
            window: None,
        };
        let policy = task.restart_policy.get_or_insert_with(usual);
        if let Some(condition) = restart_condition {
            policy.condition = condition;
        }
        policy.delay = restart_delay.or(policy.delay);
        policy.max_attempts = restart_max_attempts.or(policy.max_attempts);
        policy.window = restart_window.or(policy.window);
    }
}
