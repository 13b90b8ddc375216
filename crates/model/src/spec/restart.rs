//! Whether a task that ended is run again.

use crate::time::Duration;

/// Whether a task that ended is run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends.
    pub condition: RestartCondition,
    /// How long to wait; absent means 5 s.
    pub delay: Option<Duration>,
    /// How often; 0 means without end.
    pub max_attempts: u64,
    /// Only attempts within this time count; absent or zero means all.
    pub window: Option<Duration>,
}

/// After which ends a task is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartCondition {
    /// After none.
    None,
    /// After failures.
    OnFailure,
    /// After all.
    #[default]
    Any,
}

/// The delay if none is given (`control.md` section 5).
pub const DELAY_DEFAULT: Duration = Duration::from_secs(5);
