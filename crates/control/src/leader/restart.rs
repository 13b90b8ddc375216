//! Replaces tasks that ended, or lost their node, and starts replacements when their time has come.
//!
//! In: the draft, the places of the tasks that want a look. Out: the same draft, where what ended is wished
//! `shutdown` and its replacement is made at once, wished `ready`; and where replacements that are due are
//! wished further. When one is due is computed from the book, so a new leader goes on where the old one ended.

use std::sync::Arc;

use model::node::{Availability, NodeState};
use model::spec::restart::{DELAY_DEFAULT, RestartCondition, RestartPolicy};
use model::{Cx, Duration, Service, Task, TaskState, Timestamp};
use store::{Draft, State};

use super::agenda::{Agenda, Reminder, is_stranded};
use super::orchestrate::place::{Place, age, goal, is_job, is_per_node, is_wanted};
use super::orchestrate::slots::wish;
use super::update;

/// So long a replacement waits at most for the task before it to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(60);

/// Looks at each place in which something happened.
pub(super) fn run(draft: &mut Draft, agenda: &mut Agenda, cx: &mut Cx<'_>) {
    for place in agenda.places(draft) {
        if draft.is_full() {
            return;
        }
        let Some(service) = draft.services.get(place.service()).cloned() else { continue };
        let tasks = place.tasks(draft);
        for task in &tasks {
            if is_over(draft, &service, task) {
                replace(draft, &service, task, &tasks, cx);
            }
        }
        start_due(draft, agenda, &service, place);
    }
}

/// True if the task ended, or lost its node, and nobody has acted upon it yet. A global service's task is not
/// missed on a node it may not be on: that is orchestration's. A replacement that could not even be made ready
/// keeps its place until it was due, so that what can never run is not tried again without pause.
fn is_over(draft: &Draft, service: &Service, task: &Task) -> bool {
    let ended = match is_job(&service.spec.mode) {
        true => task.status.state > TaskState::Complete,
        false => task.status.state > TaskState::Running,
    };
    let lost = || task.status.state <= TaskState::Running && is_stranded(draft, task);
    let waits = task.desired_state == TaskState::Ready;
    is_wanted(task) && ((ended && !waits) || (lost() && !is_per_node(&service.spec.mode)))
}

/// Gives up a task, and makes the next one for its place if the policy allows.
fn replace(draft: &mut Draft, service: &Service, task: &Arc<Task>, tasks: &[Arc<Task>], cx: &mut Cx<'_>) {
    let allowed = may_restart(service, task, tasks);
    wish(draft, task, TaskState::Shutdown);
    let misplaced = is_per_node(&service.spec.mode) && is_stranded(draft, task);
    let Some(place) = Place::of(draft, task).filter(|_| allowed && !misplaced) else { return };
    if is_filled(draft, service, place, task) {
        return;
    }
    let next = place.new_task(draft, service, TaskState::Ready, cx);
    draft.create(next);
}

/// True if the place has a task that makes a replacement of this one needless: one that is as the service wishes
/// already; or a later one, or any if this one is not as wished itself, which stays until an update renews it in its turn.
fn is_filled(draft: &Draft, service: &Service, place: Place, task: &Task) -> bool {
    let is_old = !update::is_up_to_date(draft, task);
    let follows = |other: &Task| is_old || age(other) > age(task) || update::is_up_to_date(draft, other);
    let present = |other: &Arc<Task>| is_wanted(other) && !is_over(draft, service, other);
    place.tasks(draft).iter().any(|other| present(other) && follows(other))
}

/// True if the task's policy lets another one follow it. `tasks` are all of its place, oldest first.
pub(super) fn may_restart(service: &Service, task: &Task, tasks: &[Arc<Task>]) -> bool {
    let default = RestartPolicy::default();
    let policy = task.spec.restart.as_ref().unwrap_or(&default);
    let condition = match policy.condition {
        RestartCondition::Any if is_job(&service.spec.mode) => RestartCondition::OnFailure,
        condition => condition,
    };
    let by_condition = match condition {
        RestartCondition::None => false,
        RestartCondition::OnFailure => task.status.state != TaskState::Complete,
        RestartCondition::Any => true,
    };
    by_condition && (policy.max_attempts == 0 || attempts(policy, task, tasks) < policy.max_attempts)
}

/// How often the place was filled again since its first task of this version, as far as the policy counts it.
fn attempts(policy: &RestartPolicy, task: &Task, tasks: &[Arc<Task>]) -> u64 {
    let alike = tasks.iter().filter(|other| other.spec_version == task.spec_version);
    let since = match policy.window {
        Some(window) if !window.is_zero() => task.state_since() - window,
        _ => Timestamp::EPOCH,
    };
    let again = alike.skip(1).filter(|other| other.meta.created_at.unwrap_or_default() >= since);
    again.count() as u64
}

/// Wishes the replacements in this place further that are due, and looks again when others will be.
pub(super) fn start_due(draft: &mut Draft, agenda: &mut Agenda, service: &Service, place: Place) {
    let tasks = place.tasks(draft);
    for (position, task) in
        tasks.iter().enumerate().filter(|(_, task)| task.desired_state == TaskState::Ready)
    {
        match due(draft, task, &tasks[..position]) {
            Some(at) if at > draft.now() => agenda.remind(at, Reminder::Task(task.id)),
            _ => wish(draft, task, goal(&service.spec.mode)),
        }
    }
}

/// When the replacement may start: after the delay, and after the tasks before it have stopped, for which it
/// waits a minute at most.
fn due(state: &State, task: &Task, earlier: &[Arc<Task>]) -> Option<Timestamp> {
    let made = task.meta.created_at?;
    let before = earlier.last()?;
    let stops = earlier.iter().any(|other| is_stopping(state, other));
    let delay = delay(state, task, before);
    Some(made + if stops { delay.max(STOP_WAIT_MAX) } else { delay })
}

/// How long to wait between two tasks: not at all if the second renews the first, or if the first had to leave.
fn delay(state: &State, task: &Task, before: &Task) -> Duration {
    let node = before.node_id.and_then(|node| state.nodes.get(node));
    let drained = node.is_some_and(|node| node.spec.availability == Availability::Drain);
    if drained || before.spec_version != task.spec_version {
        return Duration::ZERO;
    }
    before.spec.restart.as_ref().and_then(|policy| policy.delay).unwrap_or(DELAY_DEFAULT)
}

/// True if the task shall stop, and a node is there that will say when it has.
fn is_stopping(state: &State, task: &Task) -> bool {
    let node = task.node_id.and_then(|node| state.nodes.get(node));
    let heard = node.is_some_and(|node| node.status.state != NodeState::Down);
    !is_wanted(task) && heard && (TaskState::Assigned..=TaskState::Running).contains(&task.status.state)
}
