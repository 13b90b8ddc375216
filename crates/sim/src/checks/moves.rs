//! No task is stopped that runs as its service wishes, where it may run.

use std::collections::BTreeSet;
use std::sync::Arc;

use control::leader::{is_up_to_date, schedule};
use model::node::{Availability, NodeState};
use model::{Service, ServiceMode, Task, TaskState};
use store::{Change, Object};

use super::View;
use crate::story::task_name;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    for change in view.changes {
        let Change::Update(Object::Task(task)) = change else { continue };
        let Some(before) = view.before.tasks.get(task.id) else { continue };
        let is_stopped = task.desired_state > TaskState::Running && task.status.state == TaskState::Running;
        if is_stopped && before.desired_state == TaskState::Running && is_needless(view, task) {
            return Err(format!("{} shall stop, and nobody knows why", task_name(task, view.now)));
        }
    }
    Ok(())
}

fn is_needless(view: &View<'_>, task: &Task) -> bool {
    let Some(service) = task.service_id.and_then(|id| view.now.services.get(id)) else { return false };
    is_up_to_date(view.now, task) && is_at_home(view, task, service) && is_counted(view, task, service)
}

/// True if the node is there, and may have this task.
fn is_at_home(view: &View<'_>, task: &Task, service: &Service) -> bool {
    let Some(node) = task.node_id.and_then(|id| view.now.nodes.get(id)) else { return false };
    let constraints = service.spec.task.placement.as_ref().map(|it| it.constraints.as_slice());
    node.spec.availability == Availability::Active
        && node.status.state != NodeState::Down
        && schedule::suits(constraints.unwrap_or_default(), node)
}

/// True if the service wishes as many places as it has, those included whose task ended for good, and the task is
/// the only one of its place.
fn is_counted(view: &View<'_>, task: &Task, service: &Service) -> bool {
    let ServiceMode::Replicated { replicas } = service.spec.mode else { return false };
    let kept = view.before.tasks_of(service.id).filter(|other| other.desired_state < TaskState::Remove);
    let places: BTreeSet<u64> = kept.map(|task| task.slot).collect();
    let wanted = |other: &&Arc<Task>| other.desired_state <= TaskState::Running;
    let mates = view.before.tasks_in_slot(service.id, task.slot).filter(wanted).count();
    places.len() as u64 <= replicas && mates == 1
}
