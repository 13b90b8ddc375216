//! Turns tasks out that no longer fit the node they are on (`control.md` section 8).
//!
//! In: nodes that changed in the draft. Out: their tasks that must go, drafted as rejected. What becomes of the
//! slot is decided by those who restart. Nodes that drain or pause are none of its business.

use std::sync::Arc;

use model::node::Availability;
use model::spec::placement::Placement;
use model::spec::resources::{GenericResource, Resources};
use model::{Node, NodeId, Task, TaskState};
use store::{Draft, Object, State};

use super::schedule;

/// Looks at each node that changed.
pub fn run(draft: &mut Draft) {
    let changed: Vec<NodeId> = draft
        .changes()
        .filter_map(|change| match change.object() {
            Object::Node(node) => Some(node.id),
            _ => None,
        })
        .collect();
    for id in changed {
        let Some(node) = draft.nodes.get(id).cloned() else { continue };
        if node.spec.availability == Availability::Active {
            enforce(draft, &node);
        }
    }
}

fn enforce(draft: &mut Draft, node: &Node) {
    let mut left = node.description.as_ref().and_then(|description| description.resources.clone());
    let tasks: Vec<Arc<Task>> = draft.tasks_on(node.id).filter(|task| is_bound(task)).cloned().collect();
    for task in tasks {
        let suits = suits(draft, &task, node);
        if !suits || !left.as_mut().is_none_or(|left| take(left, &task)) {
            reject(draft, &task);
        }
    }
}

/// True if the task runs or shall run on its node.
fn is_bound(task: &Task) -> bool {
    let wished = TaskState::Assigned..=TaskState::Complete;
    wished.contains(&task.desired_state)
        && (TaskState::Assigned..TaskState::Complete).contains(&task.status.state)
}

/// True if the node is what the task's service asks for now.
fn suits(state: &State, task: &Task, node: &Node) -> bool {
    let service = task.service_id.and_then(|id| state.services.get(id));
    let spec = service.map_or(&task.spec, |service| &service.spec.task);
    spec.placement.as_ref().is_none_or(|Placement { constraints, .. }| schedule::suits(constraints, node))
}

/// Takes what is reserved for the task from what is left. False, taking nothing, if there is too little.
fn take(left: &mut Resources, task: &Task) -> bool {
    let reserved = task.spec.resources.as_ref().and_then(|resources| resources.reservations.as_ref());
    let (nano_cpus, memory_bytes) = reserved.map_or((0, 0), |it| (it.nano_cpus, it.memory_bytes));
    let enough = nano_cpus <= left.nano_cpus.max(0) && memory_bytes <= left.memory_bytes.max(0);
    let asks = nano_cpus > 0 || memory_bytes > 0;
    if (asks && !enough) || !task.assigned_generic_resources.iter().all(|thing| has(left, thing)) {
        return false;
    }
    left.nano_cpus -= nano_cpus;
    left.memory_bytes -= memory_bytes;
    for thing in &task.assigned_generic_resources {
        take_thing(left, thing);
    }
    true
}

fn has(left: &Resources, claimed: &GenericResource) -> bool {
    left.generic.iter().any(|thing| match (thing, claimed) {
        (
            GenericResource::Discrete { kind, value },
            GenericResource::Discrete { kind: wished, value: count },
        ) => kind == wished && value >= count,
        _ => thing == claimed,
    })
}

fn take_thing(left: &mut Resources, claimed: &GenericResource) {
    match claimed {
        GenericResource::Named { .. } => left.generic.retain(|thing| thing != claimed),
        GenericResource::Discrete { kind, value } => {
            for thing in &mut left.generic {
                if let GenericResource::Discrete { kind: other, value: left } = thing
                    && other == kind
                {
                    *left -= value;
                }
            }
        }
    }
}

fn reject(draft: &mut Draft, task: &Task) {
    let mut task = task.clone();
    task.status.state = TaskState::Rejected;
    task.status.timestamp = Some(draft.now());
    "task rejected by constraint enforcer".clone_into(&mut task.status.message);
    "assigned node no longer meets constraints".clone_into(&mut task.status.err);
    draft.update(task);
}
