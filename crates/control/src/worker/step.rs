//! The life of a task on its node, in one table (`control.md` section 13).
//!
//! In: the task as it is. Out: what comes next. Knows no clock, no container, and nothing of other tasks.

use model::{Task, TaskState};

use super::input::Step;

/// What comes next for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing to be done by hands: the task is now in this state, and the reason is this word.
    Become(TaskState, &'static str),
    /// Hands must do this.
    Do(Step),
    /// It waits for another wish.
    Rest,
}

/// The next thing for a task.
pub(super) fn next_step(task: &Task) -> Next {
    use TaskState::{Accepted, Complete, Preparing, Ready, Remove, Running, Shutdown, Starting};
    match (task.desired_state, task.status.state) {
        (Remove, state) if state.is_final() => Next::Do(Step::Remove),
        (_, state) if state.is_final() => Next::Rest,
        (desired, state) if desired > Complete && state < Preparing => Next::Become(Shutdown, "shutdown"),
        (desired, _) if desired > Complete => Next::Do(Step::Stop),
        (_, Running) => Next::Do(Step::Wait),
        (_, Starting) => Next::Do(Step::Start),
        (Running | Complete, Ready) => Next::Become(Starting, "starting"),
        (_, Ready) => Next::Rest,
        (_, Preparing) => Next::Do(Step::Prepare),
        (_, Accepted) => Next::Become(Preparing, "preparing"),
        _ => Next::Become(Accepted, "accepted"),
    }
}

/// What a task becomes when hands have done their step well.
pub(super) fn after(step: Step) -> Option<(TaskState, &'static str)> {
    match step {
        Step::Prepare => Some((TaskState::Ready, "prepared")),
        Step::Start => Some((TaskState::Running, "started")),
        Step::Wait => Some((TaskState::Complete, "finished")),
        Step::Stop => Some((TaskState::Shutdown, "shutdown")),
        Step::Remove => None,
    }
}

/// What a task becomes when a step cannot be done: refused until it was to be started, failed from then on.
pub(super) fn after_failure(state: TaskState) -> TaskState {
    if state < TaskState::Starting { TaskState::Rejected } else { TaskState::Failed }
}

/// True if hands shall give up this step, because the task shall end.
pub(super) fn is_obsolete(step: Step, desired: TaskState) -> bool {
    desired > TaskState::Complete && matches!(step, Step::Prepare | Step::Start | Step::Wait)
}
