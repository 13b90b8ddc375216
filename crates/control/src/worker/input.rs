//! What the worker may hear, and what it may wish for.

use std::sync::Arc;

use model::task::{ContainerStatus, PortStatus};
use model::{Task, TaskId, TaskStatus};

/// What the worker may hear.
#[derive(Clone, Debug)]
pub enum Input {
    /// What was remembered over a restart of this machine's daemon: tasks with the status they had.
    Remembered(Vec<Arc<Task>>),
    /// All that this machine shall run; what is not named goes.
    AssignedAll(Vec<Arc<Task>>),
    /// Differences: new or changed tasks, and those that are no longer this machine's business.
    Assigned {
        /// New or changed.
        updated: Vec<Arc<Task>>,
        /// Gone.
        removed: Vec<TaskId>,
    },
    /// A step ended.
    Done(TaskId, Step, Result<Done, Failure>),
    /// A new session began: everything is to be reported once more.
    Reconnected,
    /// The time it asked for has come.
    Wake,
}

/// What the worker may wish for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Do this for the task, as it now is. One step at a time for each task.
    Do(Arc<Task>, Step),
    /// Give up the step that is being done for the task; its end is still told.
    Cancel(TaskId),
    /// Tell the managers.
    Report(TaskId, TaskStatus),
    /// Remember the task with its status over a restart.
    Remember(Arc<Task>),
    /// Remember it no longer.
    Forget(TaskId),
}

/// What can be done for a task. Every step may be repeated after a crash, and then does nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Fetch the image and make the container.
    Prepare,
    /// Start it; ends when it is up and, if it has a health check, healthy.
    Start,
    /// Wait for its end.
    Wait,
    /// Ask it to end, and after its grace make it end.
    Stop,
    /// Leave nothing of it.
    Remove,
}

/// How a step ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The container as it is now, from `Start` on.
    pub container: Option<ContainerStatus>,
    /// Ports published on this machine.
    pub ports: Option<PortStatus>,
}

/// How a step ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words for users.
    pub message: String,
    /// Whether trying again may help.
    pub temporary: bool,
    /// The container as it is now, if there is one.
    pub container: Option<ContainerStatus>,
}
