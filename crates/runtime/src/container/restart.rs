//! Whether a container is started again when it has ended, and when.
//!
//! In: the policy, how it ended, what was before. Out: when it is due. Nothing is started here: the network comes first,
//! which is somebody else's.

use model::Timestamp;
use model::time::Duration;
use serde::{Deserialize, Serialize};

use crate::container::state::Exit;

/// When a container is started again that nobody stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// When it failed.
    OnFailure {
        /// So often at most; 0 means without end.
        max: u64,
    },
    /// Always; when the daemon comes back, also if somebody stopped it.
    Always,
    /// Always.
    UnlessStopped,
}

/// How often a container was started again, and when it will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    /// How often since somebody started it.
    pub count: u64,
    /// How often in a row, without having lived for long.
    streak: u32,
    /// When it will be; absent if it stays as it is.
    #[serde(skip)]
    pub due: Option<Timestamp>,
}

impl RestartPolicy {
    fn wants(self, code: i32, count: u64) -> bool {
        match self {
            Self::No => false,
            Self::OnFailure { max } => code != 0 && (max == 0 || count < max),
            Self::Always | Self::UnlessStopped => true,
        }
    }
}

impl Restarts {
    /// After a process has ended.
    pub(crate) fn after(self, policy: RestartPolicy, exit: Exit, stopped: bool) -> Self {
        if stopped || !policy.wants(exit.code, self.count) {
            return Self { due: None, ..self };
        }
        let lived = exit.finished.since(exit.started);
        let streak = if lived >= LONG_LIFE { 0 } else { self.streak };
        Self { count: self.count, streak: streak.saturating_add(1), due: Some(exit.finished + delay(streak)) }
    }

    /// When the daemon comes back and finds it ended.
    pub(crate) fn at_return(self, policy: RestartPolicy, exit: Exit, stopped: bool) -> Self {
        let stays = stopped && policy != RestartPolicy::Always;
        let due = (!stays && policy.wants(exit.code, self.count)).then_some(exit.finished);
        Self { due, ..self }
    }

    /// When it is started again as it was due.
    pub(crate) fn done(self) -> Self {
        Self { count: self.count + 1, due: None, ..self }
    }
}

/// Each failure in a row doubles the wait.
fn delay(streak: u32) -> Duration {
    let doubled = DELAY_MIN.checked_mul(1_u32.checked_shl(streak).unwrap_or(u32::MAX));
    doubled.map_or(DELAY_MAX, |delay| delay.min(DELAY_MAX))
}

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(60);
/// Who has lived for so long did not fail at once.
const LONG_LIFE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32, lived: i64) -> Exit {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        Exit { code, oom: false, started: at(0), finished: at(lived) }
    }

    #[test]
    fn each_policy_wants_what_its_name_says() {
        use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
        // Policy, code, stopped by a user: due after its end, due when the daemon is back.
        for (policy, code, stopped, after, back) in [
            (No, 1, false, false, false),
            (OnFailure { max: 0 }, 1, false, true, true),
            (OnFailure { max: 0 }, 0, false, false, false),
            (OnFailure { max: 0 }, 1, true, false, false),
            (Always, 0, false, true, true),
            (Always, 0, true, false, true),
            (UnlessStopped, 0, false, true, true),
            (UnlessStopped, 0, true, false, false),
        ] {
            let restarts = Restarts::default();
            let due = [
                restarts.after(policy, exit(code, 1), stopped).due.is_some(),
                restarts.at_return(policy, exit(code, 1), stopped).due.is_some(),
            ];
            assert_eq!(due, [after, back], "{policy:?} {code} {stopped}");
        }
    }

    #[test]
    fn failures_are_counted_and_end() {
        let policy = RestartPolicy::OnFailure { max: 2 };
        let mut restarts = Restarts::default();
        for _ in 0..2 {
            restarts = restarts.after(policy, exit(1, 1), false);
            assert!(restarts.due.is_some());
            restarts = restarts.done();
        }
        assert_eq!(restarts.after(policy, exit(1, 1), false).due, None);
        assert_eq!(restarts.count, 2);
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_begins_anew_after_a_long_life() {
        let waits = |lived: &[i64]| {
            let mut restarts = Restarts::default();
            let wait = |lived: &i64| {
                restarts = restarts.after(RestartPolicy::Always, exit(0, *lived), false);
                restarts.due.unwrap().since(exit(0, *lived).finished).as_millis()
            };
            lived.iter().map(wait).collect::<Vec<_>>()
        };
        assert_eq!(waits(&[1, 1, 1, 20, 1]), [100, 200, 400, 100, 200]);
        assert_eq!(waits(&[1; 40])[39], 60_000);
    }
}
