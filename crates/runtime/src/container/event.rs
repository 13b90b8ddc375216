//! What happens to containers, for those who listen.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::container::health::HealthStatus;
use crate::container::id::ContainerId;

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerEvent {
    /// When.
    pub at: Timestamp,
    /// To which.
    pub id: ContainerId,
    /// Its name at that time.
    pub name: String,
    /// The image it was made from, as the user named it.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What.
    pub action: Action,
}

/// What can happen to a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It was made.
    Create,
    /// Its process runs.
    Start,
    /// It was asked to stop, and has.
    Stop,
    /// It was stopped and started.
    Restart,
    /// A signal was sent to it.
    Kill {
        /// The signal's number.
        signal: i32,
    },
    /// Its process has ended.
    Die {
        /// With this code.
        exit_code: i32,
    },
    /// The kernel killed one of its processes because its memory was full.
    Oom,
    /// It stands still.
    Pause,
    /// It goes on.
    Unpause,
    /// It has another name.
    Rename {
        /// The name before.
        old: String,
    },
    /// It has other limits.
    Update,
    /// Its terminal has another size.
    Resize,
    /// Somebody looks at its processes.
    Top,
    /// Somebody listens to it.
    Attach,
    /// Nothing is left of it.
    Destroy,
    /// It is well or not.
    Health(HealthStatus),
    /// A process was described that shall run in it.
    ExecCreate {
        /// Its id.
        exec: String,
        /// Its command line.
        command: String,
    },
    /// That process runs.
    ExecStart {
        /// Its id.
        exec: String,
        /// Its command line.
        command: String,
    },
    /// That process has ended.
    ExecDie {
        /// Its id.
        exec: String,
        /// With this code.
        exit_code: i32,
    },
}

impl Action {
    /// The word that listeners know it by.
    pub fn word(&self) -> String {
        match self {
            Self::Create => "create".into(),
            Self::Start => "start".into(),
            Self::Stop => "stop".into(),
            Self::Restart => "restart".into(),
            Self::Kill { .. } => "kill".into(),
            Self::Die { .. } => "die".into(),
            Self::Oom => "oom".into(),
            Self::Pause => "pause".into(),
            Self::Unpause => "unpause".into(),
            Self::Rename { .. } => "rename".into(),
            Self::Update => "update".into(),
            Self::Resize => "resize".into(),
            Self::Top => "top".into(),
            Self::Attach => "attach".into(),
            Self::Destroy => "destroy".into(),
            Self::Health(status) => format!("health_status: {}", status.word()),
            Self::ExecCreate { command, .. } => format!("exec_create: {command}"),
            Self::ExecStart { command, .. } => format!("exec_start: {command}"),
            Self::ExecDie { .. } => "exec_die".into(),
        }
    }
}
