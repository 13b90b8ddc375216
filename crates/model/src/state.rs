//! A task's state and its one direction.

use std::fmt;
use std::str::FromStr;

/// How far a task has come. It only ever grows (`control.md` section 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum TaskState {
    /// Made by an orchestrator.
    #[default]
    New = 0,
    /// Has its addresses and ports; waits for a node.
    Pending = 64,
    /// Has a node.
    Assigned = 192,
    /// The node has taken it.
    Accepted = 256,
    /// The image is fetched and the container made.
    Preparing = 320,
    /// Could be started at once.
    Ready = 384,
    /// Is being started, or not yet healthy.
    Starting = 448,
    /// Runs.
    Running = 512,
    /// Ended by itself with exit code zero.
    Complete = 576,
    /// Ended because it was wished so.
    Shutdown = 640,
    /// Ended otherwise.
    Failed = 704,
    /// Could not be prepared, or the node refused it.
    Rejected = 768,
    /// Only ever wished for: stop it and forget it.
    Remove = 800,
    /// Its node has been lost for so long that nobody knows.
    Orphaned = 832,
}

impl TaskState {
    /// All states in their order.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Pending,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Ready,
        Self::Starting,
        Self::Running,
        Self::Complete,
        Self::Shutdown,
        Self::Failed,
        Self::Rejected,
        Self::Remove,
        Self::Orphaned,
    ];

    /// The state with this number on the wire.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i32 == number)
    }

    /// True if nothing can follow: the task will never run again.
    pub fn is_final(self) -> bool {
        self > Self::Running
    }

    /// The state in lower case, as users read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no task state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the state of a task")]
pub struct NotAState(pub String);

impl FromStr for TaskState {
    type Err = NotAState;

    fn from_str(word: &str) -> Result<Self, NotAState> {
        let known = Self::ALL.into_iter().find(|state| state.word().eq_ignore_ascii_case(word));
        known.ok_or_else(|| NotAState(word.to_owned()))
    }
}
