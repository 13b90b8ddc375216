//! Nodes: changed, removed (`control.md` section 11, `security.md` section 8).

use std::sync::Arc;

use model::limits::CERT_EXPIRY_DEFAULT;
use model::node::{NodeRole, NodeState, Reachability};
use model::{Cluster, Duration, Node, NodeId, NodeSpec, Refusal, TaskState, Timestamp, Version};
use store::{Draft, State};

use super::{check_version, not_now};
use crate::leader::request::Answer;
use crate::leader::roles::can_spare;

/// Common names stay refused for so long after their certificates ended.
const BLACKLIST_EXTRA: Duration = Duration::from_secs(7 * 24 * 3600);

/// Gives a node another spec.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (NodeId, Version),
    spec: NodeSpec,
) -> Result<Answer, Refusal> {
    let node = draft.nodes.get(id).cloned().ok_or_else(|| Refusal::not_found("node", id))?;
    check_version(&node.meta, version)?;
    let demoted = node.spec.desired_role == NodeRole::Manager && spec.desired_role == NodeRole::Worker;
    if demoted {
        check_demotion(draft, &node)?;
    }
    draft.update(Node { spec, ..Node::clone(&node) });
    let node = draft.nodes.get(id).expect("it was drafted a moment ago");
    Ok(Answer::Node(Arc::clone(node)))
}

/// Refuses to lose the last manager, or more than the others can do without.
fn check_demotion(state: &State, node: &Node) -> Result<(), Refusal> {
    let managers = state.nodes.iter().filter(|node| node.spec.desired_role == NodeRole::Manager);
    if managers.count() == 1 {
        return Err(not_now("attempting to demote the last manager of the swarm"));
    }
    if node.manager_status.is_none() {
        return Ok(()); // Nobody is lost who was not in the group, as one is whom a group begun anew has left behind.
    }
    let others = state.nodes.iter().filter(|other| other.id != node.id);
    let members = others.filter_map(|other| other.manager_status.as_ref());
    if !can_spare(members.map(|status| status.reachability == Reachability::Reachable)) {
        let message = "can't remove member from the raft: this would result in a loss of quorum";
        return Err(not_now(message));
    }
    Ok(())
}

/// Removes a node: its certificate speaks no more, and its tasks are nobody's.
pub(super) fn remove(draft: &mut Draft, id: NodeId, force: bool) -> Result<Answer, Refusal> {
    let node = draft.nodes.get(id).cloned().ok_or_else(|| Refusal::not_found("node", id))?;
    if node.manager_status.is_some() {
        let what = "is a cluster manager and is a member of the raft cluster";
        let then = "It must be demoted to worker before removal";
        return Err(not_now(format!("node {id} {what}. {then}")));
    }
    if node.status.state == NodeState::Ready && !force {
        return Err(not_now(format!("node {id} is not down and can't be removed")));
    }
    if let Some(cluster) = draft.cluster().cloned() {
        let now = draft.now();
        draft.edit(&cluster, |cluster| blacklist(cluster, &node, now));
    }
    orphan_tasks(draft, id);
    draft.remove(&node);
    Ok(Answer::Done)
}

/// Refuses the node's certificate as long as it could be valid, and forgets those that are long over.
fn blacklist(cluster: &mut Cluster, node: &Node, now: Timestamp) {
    let expiry = cluster.spec.ca.node_cert_expiry.unwrap_or_default().max(CERT_EXPIRY_DEFAULT);
    let refused = &mut cluster.blacklisted_certificates;
    refused.retain(|_, until| until.is_none_or(|until| until + BLACKLIST_EXTRA > now));
    refused.insert(node.id.to_string(), Some(now + expiry));
}

fn orphan_tasks(draft: &mut Draft, node: NodeId) {
    let alive = |task: &&Arc<model::Task>| task.status.state < TaskState::Complete;
    let tasks: Vec<_> = draft.tasks_on(node).filter(alive).cloned().collect();
    let now = draft.now();
    for task in tasks {
        draft.edit(&task, |task| {
            task.status.state = TaskState::Orphaned;
            task.status.timestamp = Some(now);
            "Task belonged to a node that has been deleted".clone_into(&mut task.status.message);
        });
    }
}
