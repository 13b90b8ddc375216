//! Gives every pending task a node.
//!
//! In: the draft, whose pending tasks already have their addresses, and the ledger of what each node has left.
//! Out: the same draft, where tasks are assigned or say why they could not be.
//!
//! Tasks of one service and version are placed together, so that they spread. The scheduler creates no tasks and
//! removes none; a task it cannot place stays pending and costs nothing until something changes.

mod explain;
mod filters;
mod ledger;
mod place;
mod preference;
mod spread;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Cx, Node, NodeId, ServiceId, Task, TaskId, TaskState, Version};
use store::Draft;

use explain::Failures;
pub use ledger::Ledger;
use place::Places;
use wish::Wish;

/// Which tasks are placed together: those of one service and version, or one that stands alone.
type Group = (Option<ServiceId>, Option<Version>, Option<TaskId>);

/// Places every task that is pending, as far as there is room.
pub fn run(draft: &mut Draft, ledger: &mut Ledger, cx: &Cx<'_>) {
    for change in draft.changes() {
        ledger.note(change);
    }
    ledger.forget_failures(cx.now);
    let mut groups: BTreeMap<Group, Vec<Arc<Task>>> = BTreeMap::new();
    for id in ledger.take_waiting() {
        let Some(task) = draft.tasks.get(id).filter(|task| is_waiting(task)) else { continue };
        match task.node_id {
            Some(_) if !draft.takes(task) => ledger.wait(id),
            Some(node) => confirm(draft, ledger, Arc::clone(task), node),
            None => groups.entry(group(task)).or_default().push(Arc::clone(task)),
        }
    }
    for tasks in groups.into_values() {
        place(draft, ledger, tasks);
    }
}

/// True if the node is one that this placement allows, whatever room it has.
pub fn suits(constraints: &[String], node: &Node) -> bool {
    filters::constraints(constraints).is_none_or(|all| filters::constraints_hold(&all, node))
}

/// True if the task waits for a node, or for the confirmation of the one it has.
fn is_waiting(task: &Task) -> bool {
    task.status.state == TaskState::Pending && task.desired_state <= TaskState::Complete
}

fn group(task: &Task) -> Group {
    let alone = task.service_id.is_none() || task.spec_version.is_none();
    (task.service_id, task.spec_version, alone.then_some(task.id))
}

/// Places tasks that are alike but for their slots, one after the other, each on the best node there is.
fn place(draft: &mut Draft, ledger: &mut Ledger, mut tasks: Vec<Arc<Task>>) {
    tasks.sort_by_key(|task| (task.slot, task.id));
    let Some(first) = tasks.first() else { return };
    let wish = Wish::of(draft, first);
    let mut places = Places::of(ledger, &wish);
    let mut unplaced = Vec::new();
    for task in tasks {
        if !draft.takes(&task) {
            ledger.wait(task.id);
            continue;
        }
        match places.next(ledger, &wish) {
            Some(node) => assign(draft, ledger, (task, node), &wish, "scheduler assigned task to node"),
            None => unplaced.push(task),
        }
    }
    if unplaced.is_empty() {
        return;
    }
    let why = Failures::of(ledger, &wish).explain();
    let err =
        if why.is_empty() { "no suitable node".to_owned() } else { format!("no suitable node ({why})") };
    for task in unplaced {
        match draft.takes(&task) {
            true => explain(draft, ledger, &task, &err),
            false => ledger.wait(task.id),
        }
    }
}

/// Lets a task run on the node that it was made for, if there is room.
fn confirm(draft: &mut Draft, ledger: &mut Ledger, task: Arc<Task>, node: NodeId) {
    let wish = Wish::of(draft, &task);
    let mut failures = Failures::default();
    match ledger.node(node).map(|shelf| filters::check(&wish, shelf)) {
        Some(Ok(())) => {
            let words = "scheduler confirmed task can run on preassigned node";
            assign(draft, ledger, (task, node), &wish, words);
        }
        Some(Err(filter)) => {
            failures.count(filter);
            explain(draft, ledger, &task, &failures.explain());
        }
        None => explain(draft, ledger, &task, "no suitable node"),
    }
}

fn assign(
    draft: &mut Draft,
    ledger: &mut Ledger,
    (task, node): (Arc<Task>, NodeId),
    wish: &Wish,
    words: &str,
) {
    let mut task = Task::clone(&task);
    task.node_id = Some(node);
    task.status.state = TaskState::Assigned;
    task.status.timestamp = Some(draft.now());
    words.clone_into(&mut task.status.message);
    task.status.err.clear();
    if let Some(shelf) = ledger.node(node) {
        task.assigned_generic_resources = shelf.claim(&wish.generic);
    }
    task.volumes.clone_from(&wish.volumes);
    ledger.note_task(task.id, Some(&task));
    draft.update(task);
}

/// Says on the task why it waits, once.
fn explain(draft: &mut Draft, ledger: &mut Ledger, task: &Task, err: &str) {
    ledger.cannot_place(task.id);
    if task.status.err != err {
        let mut task = task.clone();
        task.status.timestamp = Some(draft.now());
        err.clone_into(&mut task.status.err);
        draft.update(task);
    }
}
