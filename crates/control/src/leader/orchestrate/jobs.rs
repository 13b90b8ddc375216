//! Runs jobs to completion.
//!
//! A replicated job fills the slots from 0 up to its number of completions, so many at a time; a global one has
//! one task on each node that fits. A place that was filled in this run of the job is not filled again: failed
//! tasks are `restart`'s. Tasks of earlier runs go.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::node::{Availability, NodeState};
use model::{Cx, Node, Service, ServiceId, ServiceMode, Task, TaskState, Version};
use store::Draft;

use super::global::suits;
use super::place::{Place, is_job};
use super::slots::wish;
use crate::leader::agenda::{Agenda, is_stranded};

/// Looks at jobs whose tasks ended: the next ones may begin.
pub(super) fn go_on(draft: &mut Draft, agenda: &Agenda, cx: &mut Cx<'_>) {
    let ended = agenda.tasks.iter().filter_map(|id| draft.tasks.get(*id));
    let owners: BTreeSet<ServiceId> =
        ended.filter(|task| task.job_iteration.is_some()).filter_map(|task| task.service_id).collect();
    for id in owners.difference(&agenda.services) {
        let Some(service) = draft.services.get(*id).cloned() else { continue };
        if is_job(&service.spec.mode) {
            reconcile(draft, &service, cx);
        }
    }
}

/// Adds what is missing, and removes what belongs to earlier runs.
pub(super) fn reconcile(draft: &mut Draft, service: &Service, cx: &mut Cx<'_>) {
    let run = service.job_status.map(|job| job.job_iteration).unwrap_or_default();
    remove_earlier(draft, service, run);
    if service.spec.mode == ServiceMode::GlobalJob {
        leave_lost(draft, service);
    }
    let places = match service.spec.mode {
        ServiceMode::ReplicatedJob { max_concurrent, total_completions } => {
            missing_slots(draft, service, run, (max_concurrent, total_completions))
        }
        _ => missing_nodes(draft, service, run),
    };
    for place in places {
        if draft.is_full() {
            return;
        }
        let task = place.new_task(draft, service, TaskState::Complete, cx);
        draft.create(task);
    }
}

fn remove_earlier(draft: &mut Draft, service: &Service, run: Version) {
    let earlier = |task: &&Arc<Task>| !is_of(task, run) && task.status.state <= TaskState::Running;
    let tasks: Vec<Arc<Task>> = draft.tasks_of(service.id).filter(earlier).cloned().collect();
    for task in tasks {
        wish(draft, &task, TaskState::Remove);
    }
}

/// What ran on a node on which nothing may stay is not run elsewhere: each node has its own.
fn leave_lost(draft: &mut Draft, service: &Service) {
    let lost = |task: &&Arc<Task>| task.status.state <= TaskState::Running && is_stranded(draft, task);
    let tasks: Vec<Arc<Task>> = draft.tasks_of(service.id).filter(lost).cloned().collect();
    for task in tasks {
        wish(draft, &task, TaskState::Shutdown);
    }
}

fn missing_slots(draft: &Draft, service: &Service, run: Version, (most, total): (u64, u64)) -> Vec<Place> {
    let tasks = || draft.tasks_of(service.id).filter(|task| is_of(task, run));
    let filled: BTreeSet<u64> = tasks().map(|task| task.slot).collect();
    let busy: BTreeSet<u64> = tasks().filter(|task| is_busy(task)).map(|task| task.slot).collect();
    let room = most.saturating_sub(busy.len() as u64);
    let free = (0..total).filter(|slot| !filled.contains(slot));
    free.take(usize::try_from(room).unwrap_or(usize::MAX)).map(|slot| Place::Slot(service.id, slot)).collect()
}

fn missing_nodes(draft: &Draft, service: &Service, run: Version) -> Vec<Place> {
    let ready = |node: &&Arc<Node>| {
        node.status.state == NodeState::Ready && node.spec.availability == Availability::Active
    };
    let free = |node: &&Arc<Node>| !draft.tasks_of_on(service.id, node.id).any(|task| is_of(task, run));
    let nodes = draft.nodes.iter().filter(ready).filter(|node| suits(service, node)).filter(free);
    nodes.map(|node| Place::On(service.id, node.id)).collect()
}

/// True if the task still holds one of the places that may be busy at a time.
fn is_busy(task: &Task) -> bool {
    task.desired_state <= TaskState::Complete && task.status.state != TaskState::Complete
}

fn is_of(task: &Task, run: Version) -> bool {
    task.job_iteration.unwrap_or_default() == run
}
