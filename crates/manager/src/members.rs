//! Who is in the group of managers, with names and addresses, and who once was.
//!
//! In: committed changes of the group, and snapshots. Out: the address book. Whose voice counts is the replica's
//! business; this only knows where everyone lives.

use std::collections::{BTreeMap, BTreeSet};

use raft::{ConfChange, ConfChangeKind, ReplicaId};
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

    /// The member that is this node, if it is one.
    pub fn of_node(&self, node: model::NodeId) -> Option<&Member> {
        self.present.values().find(|member| member.node_id == node)
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
