//! Who is in the group of managers, with names and addresses, and who once was.
//!
//! In: committed changes of the group, and snapshots. Out: the address book. Whose voice counts is the replica's
//! business; this only knows where everyone lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::NodeId;
use model::node::{self, ManagerStatus};
use raft::{ConfChange, ConfChangeKind, Entry, Payload, ReplicaId};
use tokio::sync::watch;
use wire::Member;

/// The address book of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those in the group.
    pub present: BTreeMap<ReplicaId, Member>,
    /// Those who left; their numbers never return.
    pub removed: BTreeSet<ReplicaId>,
}

impl Members {
    /// The address book of a snapshot.
    pub fn of(members: Vec<Member>, removed: Vec<ReplicaId>) -> Self {
        let present = members.into_iter().map(|member| (member.raft_id, member)).collect();
        Self { present, removed: removed.into_iter().collect() }
    }

    /// Those whom a stored log names, whether or not that is committed: a manager that starts must be able to speak
    /// with them to learn what is.
    pub(crate) fn named_in(entries: &[Entry]) -> Vec<Member> {
        let mut named = Self::default();
        for entry in entries {
            if let Payload::Change(change) = &entry.payload {
                named.apply(change);
            }
        }
        named.present.into_values().collect()
    }

    /// Takes in a committed change.
    pub fn apply(&mut self, change: &ConfChange) {
        match change.kind {
            ConfChangeKind::Remove => {
                self.present.remove(&change.replica);
                self.removed.insert(change.replica);
            }
            ConfChangeKind::Add | ConfChangeKind::Update | ConfChangeKind::AddLearner => {
                match Member::from_bytes(&change.context) {
                    // Number 0 is what a group that was begun anew writes for those it does not know.
                    Ok(member) if member.raft_id == change.replica => {
                        self.present.insert(change.replica, member);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(replica = change.replica, %error, "a member makes no sense"),
                }
            }
        }
    }

    /// Whether enough members are left that can be reached, without this one.
    pub(crate) fn can_spare(&self, id: ReplicaId, unreachable: &BTreeSet<ReplicaId>) -> bool {
        let others = self.present.keys().filter(|other| **other != id);
        control::leader::can_spare(others.map(|other| !unreachable.contains(other)))
    }

    /// The member that is this node, if it is one.
    pub fn of_node(&self, node: NodeId) -> Option<&Member> {
        self.present.values().find(|member| member.node_id == node)
    }
}

/// The group as the leader's pump sees it: who is in it, and who of them can be reached.
#[derive(Clone, Debug)]
pub(crate) struct GroupView {
    /// Which replica is here.
    pub(crate) own: ReplicaId,
    pub(crate) members: watch::Receiver<Arc<Members>>,
    pub(crate) reachability: watch::Receiver<Reachability>,
}

/// Who can be reached, as the last message to each has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachability {
    /// Those whose last message was lost.
    pub unreachable: BTreeSet<ReplicaId>,
    /// Another manager says that this one was removed from the group.
    pub is_removed: bool,
}

impl GroupView {
    /// Returns when something has changed that was not looked at.
    pub(crate) async fn changed(&mut self) {
        let changed = tokio::select! {
            changed = self.members.changed() => changed,
            changed = self.reachability.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await; // Who knows has ended: nothing will change any more.
        }
    }

    /// The group in the leader's words.
    pub(crate) fn as_members(&mut self) -> Vec<control::leader::Member> {
        let members = self.members.borrow_and_update();
        let unreachable = &self.reachability.borrow_and_update().unreachable;
        let in_words = |(id, member): (&ReplicaId, &Member)| {
            let reachability = match unreachable.contains(id) {
                true => node::Reachability::Unreachable,
                false => node::Reachability::Reachable,
            };
            let (raft_id, addr) = (*id, member.addr.clone());
            let status = ManagerStatus { raft_id, addr, leader: *id == self.own, reachability };
            control::leader::Member { node_id: member.node_id, status }
        };
        members.present.iter().map(in_words).collect()
    }

    /// The member that is this node, if it is one.
    pub(crate) fn replica_of(&self, node: NodeId) -> Option<ReplicaId> {
        self.members.borrow().of_node(node).map(|member| member.raft_id)
    }
}

#[cfg(test)]
mod tests {
    use model::{Chance, NodeId};

    use super::*;

    #[test]
    fn members_come_move_and_go() {
        let node_id = NodeId::random(&mut Chance::from_number(1));
        let change = |kind, addr: &str| {
            let member = Member { raft_id: 5, node_id, addr: addr.to_owned() };
            ConfChange { id: 0, kind, replica: 5, context: member.to_bytes().into() }
        };
        let mut members = Members::default();
        members.apply(&change(ConfChangeKind::Add, "a:1"));
        members.apply(&change(ConfChangeKind::Update, "b:2"));
        assert_eq!(members.of_node(node_id).map(|member| member.addr.as_str()), Some("b:2"));
        members.apply(&change(ConfChangeKind::Remove, ""));
        assert_eq!(members, Members::of(Vec::new(), vec![5]));
    }

    #[test]
    fn a_member_that_makes_no_sense_is_left_out() {
        let change =
            ConfChange { id: 0, kind: ConfChangeKind::Add, replica: 5, context: vec![0xFF; 9].into() };
        let mut members = Members::default();
        members.apply(&change);
        assert_eq!(members, Members::default());
    }
}
