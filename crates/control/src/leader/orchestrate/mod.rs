//! Says how many tasks a service has, and in which places.
//!
//! In: the draft, the services and nodes that want a look. Out: the same draft, with new tasks where some are
//! missing, and tasks marked to go where there are too many. It does not replace tasks that ended (`restart`)
//! or that are old (`update`).

mod global;
mod jobs;
pub(crate) mod place;
mod replicated;
pub(crate) mod slots;

use model::{Cx, Service, ServiceId, ServiceMode, TaskState};
use store::Draft;

use super::agenda::Agenda;

/// Brings each service that wants a look to the tasks it should have.
pub(crate) fn run(draft: &mut Draft, agenda: &Agenda, cx: &mut Cx<'_>) {
    for id in &agenda.services {
        if draft.is_full() {
            return;
        }
        match draft.services.get(*id).cloned() {
            Some(service) => reconcile(draft, &service, cx),
            None => abandon(draft, *id),
        }
    }
    for node in &agenda.nodes {
        global::visit(draft, agenda, *node, cx);
    }
    jobs::go_on(draft, agenda, cx);
}

fn reconcile(draft: &mut Draft, service: &Service, cx: &mut Cx<'_>) {
    match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicated::reconcile(draft, service, replicas, cx),
        ServiceMode::Global => global::reconcile(draft, service, cx),
        ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => jobs::reconcile(draft, service, cx),
    }
}

/// The service is gone: so shall be its tasks.
fn abandon(draft: &mut Draft, service: ServiceId) {
    let tasks: Vec<_> = draft.tasks_of(service).cloned().collect();
    for task in tasks {
        if draft.is_full() {
            return;
        }
        slots::wish(draft, &task, TaskState::Remove);
    }
}
