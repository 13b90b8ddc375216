//! When nothing disturbs, the swarm is what the specs say.

use std::collections::BTreeSet;

use control::leader::schedule;
use model::node::{Availability, NodeState};
use model::service::UpdateState;
use model::spec::restart::RestartCondition;
use model::{Node, Service, ServiceMode, Task, TaskId, TaskState, Timestamp};
use store::State;

use crate::containers::Behaviour;
use crate::swarm::Machine;

/// To be asked after a long quiet time. A service whose tasks cannot stay up, or have no room, is asked for less.
pub fn calm(book: &State, machines: &[Machine], now: Timestamp) -> Result<(), String> {
    for service in book.services.iter() {
        runs_as_wished(book, service)?;
    }
    containers_are_tasks(book, machines, now)
}

fn runs_as_wished(book: &State, service: &Service) -> Result<(), String> {
    let name = &service.spec.annotations.name;
    let container = service.spec.task.container();
    let behaviour = Behaviour::of(container.map(|it| it.image.as_str()).unwrap_or_default());
    let stays = matches!(behaviour, Behaviour::Runs | Behaviour::Shy | Behaviour::Stubborn);
    let policy = service.spec.task.restart.clone().unwrap_or_default();
    let returns = policy.condition == RestartCondition::Any && policy.max_attempts == 0;
    let paused = service
        .update_status
        .as_ref()
        .is_some_and(|status| matches!(status.state, UpdateState::Paused | UpdateState::RollbackPaused));
    if !stays || !returns || paused {
        return Ok(());
    }
    let tasks: Vec<&Task> = book.tasks_of(service.id).map(AsRef::as_ref).collect();
    if tasks.iter().any(|task| has_no_place(task)) {
        return Ok(());
    }
    let running = tasks.iter().filter(|task| runs(task)).count() as u64;
    let wished = match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicas,
        ServiceMode::Global => book.nodes.iter().filter(|node| fits(service, node)).count() as u64,
        ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => return Ok(()),
    };
    if running == wished { Ok(()) } else { Err(format!("{running} tasks of {name} run, not {wished}")) }
}

fn runs(task: &Task) -> bool {
    task.status.state == TaskState::Running && task.desired_state == TaskState::Running
}

/// True if the task waits, with the reason on it.
fn has_no_place(task: &Task) -> bool {
    task.status.state < TaskState::Assigned
        && task.desired_state <= TaskState::Running
        && !task.status.err.is_empty()
}

/// True if a global service should have a task on the node.
fn fits(service: &Service, node: &Node) -> bool {
    let constraints = service.spec.task.placement.as_ref().map(|placement| placement.constraints.as_slice());
    let active = node.spec.availability == Availability::Active && node.status.state == NodeState::Ready;
    active && schedule::suits(constraints.unwrap_or_default(), node)
}

/// Each container that runs belongs to a task that should run there.
fn containers_are_tasks(book: &State, machines: &[Machine], now: Timestamp) -> Result<(), String> {
    for Machine { node, clock, .. } in machines.iter().filter(|machine| machine.node.is_up) {
        let wanted = book.tasks_on(node.id).filter(|task| task.desired_state <= TaskState::Complete);
        let wanted: BTreeSet<TaskId> = wanted.map(|task| task.id).collect();
        if let Some(task) = node.containers.running(clock.shows(now)).find(|task| !wanted.contains(task)) {
            return Err(format!(
                "the container of {task} runs on {} though nobody wants it",
                node.description.hostname
            ));
        }
    }
    Ok(())
}
