//! At most one task of each slot is wanted to run; one of each version while new ones start first.
//!
//! What was wanted together before stays lawful: it was judged when it began, by the way of updating of that time.

use std::collections::BTreeMap;

use model::service::UpdateState;
use model::spec::update::UpdateOrder;
use model::{NodeId, Service, ServiceMode, Task, TaskState, Version};
use store::Object;

use super::View;

/// A slot, or a node for global services; and a version, if several may run at once.
type Seat = (u64, Option<NodeId>, Option<Version>);

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
        let overlaps = starts_first(service);
        let mut wanted: BTreeMap<Seat, Vec<&Task>> = BTreeMap::new();
        for task in view.now.tasks_of(id).filter(|task| is_wanted(task)) {
            let node = task.node_id.filter(|_| is_global(service));
            let version = task.spec_version.filter(|_| overlaps);
            wanted.entry((task.slot, node, version)).or_default().push(task);
        }
        let is_new = |task: &&Task| !view.before.tasks.get(task.id).is_some_and(|before| is_wanted(before));
        let crowded = |tasks: &[&Task]| tasks.len() > 1 && tasks.iter().any(is_new);
        if let Some(((slot, node, _), tasks)) = wanted.iter().find(|(_, tasks)| crowded(tasks)) {
            let count = tasks.len();
            let name = &service.spec.annotations.name;
            let in_slot = view.now.tasks_in_slot(id, *slot).map(|task| describe(task));
            let all: Vec<String> = in_slot.collect();
            return Err(format!(
                "{count} tasks of {name}.{slot} {node:?} are wanted to run: {}",
                all.join(", ")
            ));
        }
    }
    Ok(())
}

fn is_wanted(task: &Task) -> bool {
    task.desired_state == TaskState::Running && task.status.state <= TaskState::Running
}

fn describe(task: &Task) -> String {
    let version = task.spec_version.map_or(0, |version| version.index);
    format!("{} wished {} of version {version}", task.status.state, task.desired_state)
}

fn is_global(service: &Service) -> bool {
    matches!(service.spec.mode, ServiceMode::Global | ServiceMode::GlobalJob)
}

/// True if some way of changing the service lets the new task start first, or if it is taken back from a spec
/// that may have said so.
fn starts_first(service: &Service) -> bool {
    let previous = service.previous_spec.iter().flat_map(|spec| [&spec.update, &spec.rollback]);
    let all = [&service.spec.update, &service.spec.rollback].into_iter().chain(previous);
    let states = [UpdateState::RollbackStarted, UpdateState::RollbackPaused, UpdateState::RollbackCompleted];
    let taken_back = service.update_status.as_ref().is_some_and(|status| states.contains(&status.state));
    taken_back || all.flatten().any(|config| config.order == UpdateOrder::StartFirst)
}
