//! Which tasks of a place count, and which places do.

use std::sync::Arc;

use model::service::UpdateState;
use model::{Service, Task, TaskState};
use store::Draft;

use super::place::is_wanted;
use crate::leader::restart;

/// The tasks of a place that count: those wanted, else the newest if it ended and is not to be replaced. A place
/// without any is free to be filled anew. The tasks come oldest first.
pub(crate) fn counting<'a>(service: &Service, tasks: &'a [Arc<Task>]) -> Vec<&'a Arc<Task>> {
    let wanted: Vec<_> = tasks.iter().filter(|task| is_wanted(task)).collect();
    if !wanted.is_empty() {
        return wanted;
    }
    let state = service.update_status.as_ref().map(|status| status.state);
    if state == Some(UpdateState::RollbackStarted) {
        return Vec::new();
    }
    let newest = tasks.last().filter(|task| task.desired_state != TaskState::Remove);
    newest.filter(|task| !restart::may_restart(service, task, tasks)).into_iter().collect()
}

/// Wishes the task further; what was wished once is never taken back.
pub(crate) fn wish(draft: &mut Draft, task: &Arc<Task>, desired: TaskState) {
    if task.desired_state < desired {
        draft.edit(task, |task| task.desired_state = desired);
    }
}
