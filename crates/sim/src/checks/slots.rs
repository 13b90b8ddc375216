//! At most one task of each slot is wanted to run; two while the new one starts first.

use std::collections::BTreeMap;

use model::spec::update::UpdateOrder;
use model::{NodeId, Service, ServiceMode, Task, TaskState};
use store::Object;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let touched = view.changes.iter().filter_map(|change| match change.object() {
        Object::Task(task) => task.service_id,
        Object::Service(service) => Some(service.id),
        _ => None,
    });
    let mut services: Vec<_> = touched.collect();
    services.sort_unstable();
    services.dedup();
    for id in services {
        let Some(service) = view.now.services.get(id) else { continue };
        let mut wanted: BTreeMap<(u64, Option<NodeId>), usize> = BTreeMap::new();
        for task in view.now.tasks_of(id).filter(|task| is_wanted(task)) {
            let node = task.node_id.filter(|_| is_global(service));
            *wanted.entry((task.slot, node)).or_default() += 1;
        }
        let most = if starts_first(service) { 2 } else { 1 };
        if let Some(((slot, node), count)) = wanted.iter().find(|(_, count)| **count > most) {
            let name = &service.spec.annotations.name;
            return Err(format!("{count} tasks of {name}.{slot} {node:?} are wanted to run"));
        }
    }
    Ok(())
}

fn is_wanted(task: &Task) -> bool {
    task.desired_state == TaskState::Running && task.status.state <= TaskState::Running
}

fn is_global(service: &Service) -> bool {
    matches!(service.spec.mode, ServiceMode::Global | ServiceMode::GlobalJob)
}

/// True if either way of changing the service lets the new task start first.
fn starts_first(service: &Service) -> bool {
    let previous = service.previous_spec.iter().flat_map(|spec| [&spec.update, &spec.rollback]);
    let all = [&service.spec.update, &service.spec.rollback].into_iter().chain(previous);
    all.flatten().any(|config| config.order == UpdateOrder::StartFirst)
}
