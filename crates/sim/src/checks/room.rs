//! No node has more tasks than it has room for, when they were placed.

use std::collections::BTreeMap;

use model::{NodeId, Task, TaskState};
use store::{Change, Object};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let placed = view.changes.iter().filter_map(|change| match change {
        Change::Create(Object::Task(task)) | Change::Update(Object::Task(task)) => Some(task),
        _ => None,
    });
    let is_new = |task: &&std::sync::Arc<Task>| {
        let before = view.before.tasks.get(task.id).map(|before| before.status.state);
        task.status.state == TaskState::Assigned && before.is_none_or(|state| state < TaskState::Assigned)
    };
    for task in placed.filter(is_new) {
        if let Some(node) = task.node_id {
            has_room(view, node)?;
            below_max_replicas(view, task, node)?;
        }
    }
    Ok(())
}

fn has_room(view: &View<'_>, id: NodeId) -> Result<(), String> {
    let Some(node) = view.now.nodes.get(id) else {
        return Err(format!("a task was placed on {id}, which is gone"));
    };
    let all = node.description.as_ref().and_then(|description| description.resources.as_ref());
    let (mut cpus, mut memory) = (0, 0);
    for task in view.now.tasks_on(id).filter(|task| is_here(task)) {
        let resources = task.spec.resources.as_ref().and_then(|resources| resources.reservations.as_ref());
        cpus += resources.map_or(0, |it| it.nano_cpus);
        memory += resources.map_or(0, |it| it.memory_bytes);
    }
    let enough = all.is_some_and(|all| cpus <= all.nano_cpus && memory <= all.memory_bytes);
    if enough || (cpus == 0 && memory == 0) { Ok(()) } else { Err(format!("{} is overfull", node.name())) }
}

fn below_max_replicas(view: &View<'_>, task: &Task, node: NodeId) -> Result<(), String> {
    let most = task.spec.placement.as_ref().map_or(0, |placement| placement.max_replicas);
    if most == 0 {
        return Ok(());
    }
    let mut by_service: BTreeMap<_, u64> = BTreeMap::new();
    for task in
        view.now.tasks_on(node).filter(|task| is_here(task) && task.desired_state <= TaskState::Complete)
    {
        *by_service.entry(task.service_id).or_default() += 1;
    }
    let count = by_service.get(&task.service_id).copied().unwrap_or_default();
    if count <= most { Ok(()) } else { Err(format!("{count} tasks of a service on one node, not {most}")) }
}

fn is_here(task: &Task) -> bool {
    (TaskState::Assigned..=TaskState::Running).contains(&task.status.state)
}
