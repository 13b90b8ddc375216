//! How tasks are, as their nodes say.
//!
//! In: the latest status of tasks. Out: the same, drafted, unless it would go back. Between two drafts only the
//! furthest status of each task is kept. What a status means for the service is decided elsewhere.

use std::collections::BTreeMap;

use model::volume::VolumePublishState;
use model::{NodeId, Refusal, RefusalKind, Task, TaskId, TaskStatus, Volume, VolumeId};
use store::{Draft, State};

use super::yes;
use crate::leader::input::{Output, Ticket};

/// What nodes said of their tasks since the last draft.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    waiting: BTreeMap<TaskId, TaskStatus>,
    unpublished: Vec<(NodeId, VolumeId)>,
    asking: Vec<Ticket>,
    drafted: Vec<Ticket>,
}

impl Statuses {
    /// Keeps what a node says of its tasks. A node that speaks of another's is refused as a whole.
    pub(super) fn hear(
        &mut self,
        state: &State,
        node: NodeId,
        ticket: Ticket,
        updates: Vec<(TaskId, TaskStatus)>,
    ) -> Result<(), Refusal> {
        let foreign = |id: &TaskId| state.tasks.get(*id).is_some_and(|task| task.node_id != Some(node));
        if updates.iter().any(|(id, _)| foreign(id)) {
            let message = "cannot update a task not assigned this node";
            return Err(Refusal::new(RefusalKind::Denied, message));
        }
        for (id, status) in updates {
            if state.tasks.get(id).is_none() {
                continue;
            }
            let kept = self.waiting.entry(id).or_default();
            if status.state >= kept.state {
                *kept = status;
            }
        }
        self.asking.push(ticket);
        Ok(())
    }

    /// Keeps which volumes a node has let go.
    pub(super) fn hear_volumes(&mut self, node: NodeId, ticket: Ticket, unpublished: Vec<VolumeId>) {
        self.unpublished.extend(unpublished.into_iter().map(|volume| (node, volume)));
        self.asking.push(ticket);
    }

    pub(super) fn wants_draft(&self) -> bool {
        !self.asking.is_empty()
    }

    /// Writes down what was said, as much as fits into half an entry.
    pub(super) fn draft(&mut self, draft: &mut Draft, me: Option<NodeId>) {
        while !draft.is_half_full() {
            let Some((id, status)) = self.waiting.pop_first() else { break };
            draft_status(draft, id, status, me);
        }
        for (node, volume) in std::mem::take(&mut self.unpublished) {
            draft_unpublished(draft, node, volume);
        }
        if self.waiting.is_empty() {
            self.drafted.append(&mut self.asking);
        }
    }

    /// The answers to those whose words are in the book now.
    pub(super) fn answers(&mut self) -> Vec<Output> {
        self.drafted.drain(..).map(yes).collect()
    }
}

/// Writes down one status, stamped by the leader, unless it says nothing new or would go back.
fn draft_status(draft: &mut Draft, id: TaskId, said: TaskStatus, me: Option<NodeId>) {
    let Some(task) = draft.tasks.get(id) else { return };
    let known = &task.status;
    let stamped = TaskStatus { applied_by: known.applied_by, applied_at: known.applied_at, ..said };
    if stamped.state < known.state || stamped == *known {
        return;
    }
    let mut task = Task::clone(task);
    task.status = TaskStatus { applied_by: me, applied_at: Some(draft.now()), ..stamped };
    draft.update(task);
}

/// The node has let the volume go; now it may be taken away.
fn draft_unpublished(draft: &mut Draft, node: NodeId, id: VolumeId) {
    let Some(mut volume) = draft.volumes.get(id).map(|volume| Volume::clone(volume)) else { return };
    let waits = |state| state == VolumePublishState::PendingNodeUnpublish;
    let status =
        volume.publish_status.iter_mut().find(|status| status.node_id == node && waits(status.state));
    if let Some(status) = status {
        status.state = VolumePublishState::PendingUnpublish;
        draft.update(volume);
    }
}
