//! Gives a global service one task on every node that fits.
//!
//! A node that is paused keeps what it has and gets nothing new; one that is down or shall be empty, or does
//! not meet the constraints, loses its task.

use std::sync::Arc;

use model::node::Availability;
use model::{Cx, Node, NodeId, Service, ServiceMode, TaskState};
use store::Draft;

use super::jobs;
use super::place::Place;
use super::slots::{counting, wish};
use crate::leader::agenda::{Agenda, is_lost};
use crate::leader::schedule;

/// Looks at all nodes for one service.
pub(super) fn reconcile(draft: &mut Draft, service: &Service, cx: &mut Cx<'_>) {
    let nodes: Vec<Arc<Node>> = draft.nodes.iter().cloned().collect();
    for node in nodes {
        reconcile_on(draft, service, &node, cx);
    }
}

/// Looks at one node for all services that are not looked at anyway.
pub(super) fn visit(draft: &mut Draft, agenda: &Agenda, id: NodeId, cx: &mut Cx<'_>) {
    let per_node = |service: &&Arc<Service>| super::place::is_per_node(&service.spec.mode);
    let services: Vec<Arc<Service>> = draft.services.iter().filter(per_node).cloned().collect();
    let Some(node) = draft.nodes.get(id).cloned() else { return };
    for service in services.iter().filter(|service| !agenda.services.contains(&service.id)) {
        match service.spec.mode {
            ServiceMode::Global => reconcile_on(draft, service, &node, cx),
            _ => jobs::reconcile(draft, service, cx),
        }
    }
}

fn reconcile_on(draft: &mut Draft, service: &Service, node: &Node, cx: &mut Cx<'_>) {
    if draft.is_full() {
        return;
    }
    let place = Place::On(service.id, node.id);
    let tasks = place.tasks(draft);
    if is_lost(draft, node.id) || !suits(service, node) {
        for task in &tasks {
            wish(draft, task, TaskState::Shutdown);
        }
    } else if node.spec.availability != Availability::Pause && counting(service, &tasks).is_empty() {
        let task = place.new_task(draft, service, TaskState::Running, cx);
        draft.create(task);
    }
}

/// True if the service's constraints allow the node.
pub(super) fn suits(service: &Service, node: &Node) -> bool {
    let placement = service.spec.task.placement.as_ref();
    placement.is_none_or(|placement| schedule::suits(&placement.constraints, node))
}
