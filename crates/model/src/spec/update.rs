//! How a service goes from one spec to the next, or back.

use crate::time::Duration;

/// How a service goes from one spec to the next, or back.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateConfig {
    /// How many slots at once; 0 means all.
    pub parallelism: u64,
    /// How long to wait after a slot.
    pub delay: Duration,
    /// What to do when too many fail.
    pub failure_action: FailureAction,
    /// How long a new task is watched; absent means 5 s.
    pub monitor: Option<Duration>,
    /// The part that may fail, 0 to 1.
    pub max_failure_ratio: f32,
    /// What comes first.
    pub order: UpdateOrder,
}

impl Default for UpdateConfig {
    /// What holds for a service that says nothing (`control.md` section 7).
    fn default() -> Self {
        Self {
            parallelism: 1,
            delay: Duration::ZERO,
            failure_action: FailureAction::Pause,
            monitor: Some(MONITOR_DEFAULT),
            max_failure_ratio: 0.0,
            order: UpdateOrder::StopFirst,
        }
    }
}

/// What to do when too many tasks fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureAction {
    /// Halt and wait for a user.
    #[default]
    Pause,
    /// Go on.
    Continue,
    /// Go back.
    Rollback,
}

/// What comes first in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateOrder {
    /// The old task ends before the new one starts.
    #[default]
    StopFirst,
    /// The new one runs before the old one ends.
    StartFirst,
}

/// How long a new task is watched if nothing is said.
pub const MONITOR_DEFAULT: Duration = Duration::from_secs(5);
