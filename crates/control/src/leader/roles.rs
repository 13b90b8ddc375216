//! Who is a manager, and who shall no longer be one.
//!
//! In: who is in the Raft group, and what roles users wish. Out: drafted roles and places in the group, and
//! wishes to dismiss members. A node becomes a manager by joining the group itself, once its role says so; it is
//! a worker again only when the group has let it go.

use std::sync::Arc;

use model::node::NodeRole;
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

    /// Members who shall go, from time to time until they have gone.
    pub(super) fn wishes(&mut self, state: &State, now: Timestamp) -> Vec<Output> {
        if self.dismissed_at.is_some_and(|at| now < at + RETRY) {
            return Vec::new();
        }
        let surplus: Vec<Output> = self.surplus(state).map(Output::Dismiss).collect();
        self.dismissed_at = (!surplus.is_empty()).then_some(now);
        surplus
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.dismissed_at.map(|at| at + RETRY)
    }

    fn surplus(&self, state: &State) -> impl Iterator<Item = NodeId> {
        let shall_go = |node: &NodeId| {
            state.nodes.get(*node).is_none_or(|node| node.spec.desired_role == NodeRole::Worker)
        };
        let members = self.members.iter().filter(|_| state.cluster().is_some());
        members.flatten().map(|member| member.node_id).filter(shall_go)
    }
}

fn touched(draft: &Draft) -> Vec<Arc<Node>> {
    let node = |change: &Change| match change {
        Change::Create(Object::Node(node)) | Change::Update(Object::Node(node)) => Some(Arc::clone(node)),
        _ => None,
    };
    draft.changes().filter_map(node).collect()
}
