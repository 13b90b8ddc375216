//! `--update-…` and `--rollback-…`: how a service goes to a new spec, and back.

use api::service::ServiceSpec;
use api::spec::update::UpdateConfig;
use clap::Args;

use super::values::duration;

/// How a service goes to a new spec.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Update {
    /// Time between updates
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    update_delay: Option<i64>,
    /// What to do when an update fails: pause, continue, rollback
    #[arg(long, value_name = "WORD")]
    update_failure_action: Option<String>,
    /// The part that may fail, 0 to 1
    #[arg(long, value_name = "RATIO")]
    update_max_failure_ratio: Option<f32>,
    /// How long each new task is watched
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    update_monitor: Option<i64>,
    /// What comes first: stop-first, start-first
    #[arg(long, value_name = "WORD")]
    update_order: Option<String>,
    /// How many at once; 0 means all
    #[arg(long, value_name = "COUNT")]
    update_parallelism: Option<u64>,
}

/// How a service goes back to the spec it had.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Rollback {
    /// Time between rollbacks
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    rollback_delay: Option<i64>,
    /// What to do when a rollback fails: pause, continue
    #[arg(long, value_name = "WORD")]
    rollback_failure_action: Option<String>,
    /// The part that may fail, 0 to 1
    #[arg(long, value_name = "RATIO")]
    rollback_max_failure_ratio: Option<f32>,
    /// How long each task is watched
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    rollback_monitor: Option<i64>,
    /// What comes first: stop-first, start-first
    #[arg(long, value_name = "WORD")]
    rollback_order: Option<String>,
    /// How many at once; 0 means all
    #[arg(long, value_name = "COUNT")]
    rollback_parallelism: Option<u64>,
}

/// The same of either.
#[derive(Debug, Default, PartialEq)]
struct Pace {
    delay: Option<i64>,
    failure_action: Option<String>,
    max_failure_ratio: Option<f32>,
    monitor: Option<i64>,
    order: Option<String>,
    parallelism: Option<u64>,
}

/// How long a task is watched unless someone says otherwise, in nanoseconds.
const MONITOR: i64 = 5_000_000_000;

impl Update {
    /// Writes what is given into the spec.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) {
        let pace = Pace {
            delay: self.update_delay,
            failure_action: self.update_failure_action,
            max_failure_ratio: self.update_max_failure_ratio,
            monitor: self.update_monitor,
            order: self.update_order,
            parallelism: self.update_parallelism,
        };
        pace.apply(&mut spec.update_config);
    }
}

impl Rollback {
    /// Writes what is given into the spec.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) {
        let pace = Pace {
            delay: self.rollback_delay,
            failure_action: self.rollback_failure_action,
            max_failure_ratio: self.rollback_max_failure_ratio,
            monitor: self.rollback_monitor,
            order: self.rollback_order,
            parallelism: self.rollback_parallelism,
        };
        pace.apply(&mut spec.rollback_config);
    }
}

impl Pace {
    fn apply(self, config: &mut Option<UpdateConfig>) {
        if self == Self::default() {
            return;
        }
        let Self { delay, failure_action, max_failure_ratio, monitor, order, parallelism } = self;
        let usual = || UpdateConfig {
            parallelism: 1,
            delay: 0,
            failure_action: "pause".to_owned(),
            monitor: MONITOR,
            max_failure_ratio: 0.0,
            order: "stop-first".to_owned(),
        };
        let config = config.get_or_insert_with(usual);
        config.delay = delay.unwrap_or(config.delay);
        config.monitor = monitor.unwrap_or(config.monitor);
        config.parallelism = parallelism.unwrap_or(config.parallelism);
        config.max_failure_ratio = max_failure_ratio.unwrap_or(config.max_failure_ratio);
        if let Some(word) = failure_action {
            config.failure_action = word;
        }
        if let Some(word) = order {
            config.order = word;
        }
    }
}
