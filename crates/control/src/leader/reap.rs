//! Forgets tasks: those that shall go and have stopped, and history beyond its limit.
//!
//! In: the draft, the tasks that want a look. Out: the same draft without them. It stops nothing; what the rest
//! of the house still reads of the past (a task before one that waits, the first of an update) is spared.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::node::NodeState;
use model::{Service, Task, TaskState};
use store::{Draft, State};

use super::agenda::Agenda;
use super::orchestrate::place::{Place, is_job, is_wanted};
use super::update::is_going_on;

/// Takes out what may be forgotten.
pub(super) fn run(draft: &mut Draft, agenda: &Agenda) {
    for place in agenda.places(draft) {
        if draft.is_full() {
            return;
        }
        trim(draft, place);
    }
    for task in candidates(draft, agenda) {
        if draft.is_full() {
            return;
        }
        if may_go(draft, &task) {
            draft.remove(&task);
        }
    }
}

/// All tasks that want a look, those on touched nodes, and those of services that are gone.
fn candidates(draft: &Draft, agenda: &Agenda) -> Vec<Arc<Task>> {
    let touched = agenda.tasks.iter().filter_map(|id| draft.tasks.get(*id));
    let on_nodes = agenda.nodes.iter().flat_map(|id| draft.tasks_on(*id));
    let gone = agenda.services.iter().filter(|id| draft.services.get(**id).is_none());
    let of_gone = gone.flat_map(|id| draft.tasks_of(*id));
    let ids: BTreeSet<_> = touched.chain(on_nodes).chain(of_gone).map(|task| task.id).collect();
    ids.into_iter().filter_map(|id| draft.tasks.get(id)).cloned().collect()
}

/// True if the task shall go and nothing of it is left to stop, or if nobody will ever ask for it.
fn may_go(state: &State, task: &Task) -> bool {
    let unheard = || {
        let node = task.node_id.and_then(|node| state.nodes.get(node));
        node.is_none_or(|node| node.status.state == NodeState::Down)
    };
    let status = task.status.state;
    let stopped = || status < TaskState::Assigned || status.is_final() || unheard();
    let removed = task.desired_state == TaskState::Remove && stopped();
    removed || (task.service_id.is_none() && status == TaskState::Orphaned) || is_homeless(state, task)
}

/// True if the task's place is gone with its node.
fn is_homeless(state: &State, task: &Task) -> bool {
    let place = Place::of(state, task);
    let gone = |place| matches!(place, Place::On(_, node) if state.nodes.get(node).is_none());
    task.status.state.is_final() && place.is_some_and(gone)
}

/// Forgets the oldest tasks of a place that are beyond the limit and will not run again.
fn trim(draft: &mut Draft, place: Place) {
    let Some(service) = draft.services.get(place.service()).cloned() else { return };
    let Some(limit) = limit(draft, &service) else { return };
    let tasks = place.tasks(draft);
    let surplus = tasks.len().saturating_sub(limit);
    let spared = spared(&service, &tasks);
    let over = |task: &&Arc<Task>| is_over(task) && !spared.contains(&task.id);
    for task in tasks.iter().filter(over).take(surplus) {
        draft.remove(task);
    }
}

/// How many tasks each place of the service keeps; none if all. Jobs keep all.
fn limit(state: &State, service: &Service) -> Option<usize> {
    let attempts = service.spec.task.restart.as_ref().map_or(0, |policy| policy.max_attempts);
    let limit = match attempts {
        0 => state.cluster()?.spec.task_history_retention_limit,
        attempts => i64::try_from(attempts).ok()?.checked_add(1)?,
    };
    usize::try_from(limit).ok().filter(|_| !is_job(&service.spec.mode))
}

/// True if the task has run, or will never.
fn is_over(task: &Task) -> bool {
    task.status.state.is_final() || (task.status.state < TaskState::Assigned && !is_wanted(task))
}

/// Tasks that are still read: the one before a task that waits for its turn, and the first that a running update
/// made.
fn spared(service: &Service, tasks: &[Arc<Task>]) -> Vec<model::TaskId> {
    let waiting = tasks.iter().position(|task| task.desired_state == TaskState::Ready);
    let before = waiting.and_then(|position| position.checked_sub(1)).map(|position| &tasks[position]);
    let update = service.update_status.as_ref().filter(|_| is_going_on(service));
    let started = update.and_then(|status| status.started_at);
    let first = started.and_then(|at| tasks.iter().find(|task| task.meta.created_at >= Some(at)));
    before.into_iter().chain(first).map(|task| task.id).collect()
}
