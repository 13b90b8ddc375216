//! An update never renews more places at a time than its parallelism.

use std::collections::{BTreeMap, BTreeSet};

use model::service::UpdateState;
use model::{Service, ServiceId, ServiceMode, Task, TaskState};
use store::{Change, Object};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let mut renewed: BTreeMap<ServiceId, BTreeSet<u64>> = BTreeMap::new();
    for change in view.changes {
        let Change::Create(Object::Task(task)) = change else { continue };
        let Some(service) = task.service_id.and_then(|id| view.now.services.get(id)) else { continue };
        if is_steady(view, service) && renews(view, task) {
            renewed.entry(service.id).or_default().insert(task.slot);
        }
    }
    for (id, places) in renewed {
        let service = view.now.services.get(id).expect("it was there a moment ago");
        let most = parallelism(service);
        if most > 0 && places.len() as u64 > most {
            let name = &service.spec.annotations.name;
            return Err(format!("{} places of {name} are renewed at once, not {most}", places.len()));
        }
    }
    Ok(())
}

/// True if the service was not changed in this commit, so that its update goes on by the same rule.
fn is_steady(view: &View<'_>, service: &Service) -> bool {
    let before = view.before.services.get(service.id);
    let state = |it: &Service| it.update_status.as_ref().map(|status| status.state);
    matches!(service.spec.mode, ServiceMode::Replicated { .. })
        && before.is_some_and(|before| before.spec == service.spec && state(before) == state(service))
}

/// True if the task takes the place of one that runs well but is of another version.
fn renews(view: &View<'_>, task: &Task) -> bool {
    let service = task.service_id.expect("tasks of services only");
    view.before.tasks_in_slot(service, task.slot).any(|old| {
        let now = view.now.tasks.get(old.id);
        let runs = now.is_some_and(|now| now.status.state <= TaskState::Running);
        let stops = old.desired_state == TaskState::Running
            && now.is_some_and(|now| now.desired_state > TaskState::Running);
        let on_ready = old.node_id.and_then(|id| view.now.nodes.get(id)).is_some_and(|node| {
            node.status.state == model::node::NodeState::Ready
                && node.spec.availability != model::node::Availability::Drain
        });
        runs && stops && on_ready && old.spec_version != task.spec_version
    })
}

fn parallelism(service: &Service) -> u64 {
    let back = [UpdateState::RollbackStarted, UpdateState::RollbackPaused];
    let is_back = service.update_status.as_ref().is_some_and(|status| back.contains(&status.state));
    let config = if is_back { &service.spec.rollback } else { &service.spec.update };
    config.as_ref().map_or(1, |config| config.parallelism)
}
