//! Who is a manager, and who shall no longer be one.
//!
//! In: who is in the Raft group, and what roles users wish. Out: drafted roles and places in the group, and
//! wishes to dismiss members whom the group can spare; if that is the leader itself, it lets another lead first. A
//! node becomes a manager by joining the group itself, once its role says so; it is a worker again only when the
//! group has let it go.

use std::sync::Arc;

use model::node::{NodeRole, Reachability};
use model::{Duration, Node, NodeId, Timestamp};
use store::{Change, Draft, Object, State};

use super::input::{Member, Output};

/// A dismissal is wished again after this time.
const RETRY: Duration = Duration::from_secs(5);

/// What is known of the Raft group.
#[derive(Debug, Default)]
pub(super) struct Roles {
    members: Option<Vec<Member>>,
    news: bool,
    dismissed_at: Option<Timestamp>,
}

impl Roles {
    /// The group is this now.
    pub(super) fn hear(&mut self, members: Vec<Member>) {
        self.members = Some(members);
        self.news = true;
    }

    pub(super) fn wants_draft(&self) -> bool {
        self.news
    }

    /// Writes down who is in the group, and the roles that follow from it.
    pub(super) fn draft(&mut self, draft: &mut Draft) {
        let nodes: Vec<Arc<Node>> = match std::mem::take(&mut self.news) {
            true => draft.nodes.iter().cloned().collect(),
            false => touched(draft),
        };
        for node in nodes {
            draft.edit(&node, |node| self.settle(node));
        }
    }

    fn settle(&self, node: &mut Node) {
        if let Some(members) = &self.members {
            let member = members.iter().find(|member| member.node_id == node.id);
            node.manager_status = member.map(|member| member.status.clone());
        }
        match node.spec.desired_role {
            NodeRole::Manager => node.role = NodeRole::Manager,
            NodeRole::Worker if node.manager_status.is_none() => node.role = NodeRole::Worker,
            NodeRole::Worker => {}
        }
    }

    /// Members who shall go and can, from time to time until they have gone.
    pub(super) fn wishes(&mut self, state: &State, now: Timestamp) -> Vec<Output> {
        if self.dismissed_at.is_some_and(|at| now < at + RETRY) || state.cluster().is_none() {
            return Vec::new();
        }
        let members = self.members.as_deref().unwrap_or_default();
        let (surplus, staying): (Vec<&Member>, Vec<&Member>) =
            members.iter().partition(|member| shall_go(state, member.node_id));
        self.dismissed_at = (!surplus.is_empty()).then_some(now);
        surplus.into_iter().filter_map(|member| dismissal(member, members, &staying)).collect()
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.dismissed_at.map(|at| at + RETRY)
    }
}

/// True if this member is no manager any more, as far as users are concerned.
fn shall_go(state: &State, member: NodeId) -> bool {
    state.nodes.get(member).is_none_or(|node| node.spec.desired_role == NodeRole::Worker)
}

/// What is to be done so that a member leaves the group; nothing if it cannot be now.
fn dismissal(member: &Member, members: &[Member], staying: &[&Member]) -> Option<Output> {
    if member.status.leader {
        let successor = staying.iter().find(|member| is_reachable(member));
        return successor.map(|member| Output::HandOver(member.node_id));
    }
    let others = members.iter().filter(|other| other.node_id != member.node_id);
    can_spare(others.map(is_reachable)).then_some(Output::Dismiss(member.node_id))
}

fn is_reachable(member: &Member) -> bool {
    member.status.reachability == Reachability::Reachable
}

/// Whether a group can do without one of its members; of each of the others is said whether it can be reached.
pub fn can_spare(others: impl IntoIterator<Item = bool>) -> bool {
    let count = |(all, there), is_there| (all + 1, there + usize::from(is_there));
    let (all, there) = others.into_iter().fold((0, 0), count);
    there > all / 2
}

fn touched(draft: &Draft) -> Vec<Arc<Node>> {
    let node = |change: &Change| match change {
        Change::Create(Object::Node(node)) | Change::Update(Object::Node(node)) => Some(Arc::clone(node)),
        _ => None,
    };
    draft.changes().filter_map(node).collect()
}
