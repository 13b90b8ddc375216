//! A group begun anew by one of its managers, after too many of the others were lost (`raft.md` section 8).
//!
//! In: what this manager has stored. Out: the same with entries behind it that take everyone else out of the group.
//! Nothing that this manager ever stored is given up: what was acknowledged may be among the last of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use raft::{ConfChange, ConfChangeKind, Entry, HardState, Index, Payload, Persist, ReplicaId, Stored};
use wire::Member;

/// What is to be stored so that this member is alone in its group.
pub(crate) fn begin(stored: &Stored, me: &Member) -> Persist {
    let term = stored.hard_state.term + 1;
    let others = everyone(stored).into_iter().filter(|id| *id != me.raft_id);
    let stay =
        ConfChange { id: 0, kind: ConfChangeKind::Add, replica: me.raft_id, context: me.to_bytes().into() };
    let leave = |replica| ConfChange { id: 0, kind: ConfChangeKind::Remove, replica, context: Arc::from([]) };
    let changes = std::iter::once(stay).chain(others.map(leave));
    let entry = |(change, index)| Entry { term, index, payload: Payload::Change(change) };
    let entries: Vec<Entry> = changes.zip(last(stored) + 1..).map(entry).collect();
    let commit = last(stored) + entries.len() as Index;
    Persist { number: 0, hard_state: HardState { term, vote: 0, commit }, snapshot: None, entries }
}

/// All who are, or may be, in the group.
fn everyone(stored: &Stored) -> BTreeSet<ReplicaId> {
    let shown = stored.snapshot.iter().flat_map(|snapshot| snapshot.members.all());
    let added = stored.entries.iter().filter_map(|entry| match &entry.payload {
        Payload::Change(change) if change.kind != ConfChangeKind::Remove => Some(change.replica),
        _ => None,
    });
    shown.chain(added).filter(|id| *id != 0).collect()
}

fn last(stored: &Stored) -> Index {
    let shown = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
    stored.entries.last().map_or(shown, |entry| entry.index)
}

#[cfg(test)]
mod tests {
    use model::{Chance, NodeId};
    use raft::{ConfState, Snapshot};

    use super::*;

    #[test]
    fn everyone_else_leaves_and_nothing_is_lost() {
        let node_id = NodeId::random(&mut Chance::from_number(1));
        let me = Member { raft_id: 2, node_id, addr: "10.0.0.2:2377".to_owned() };
        let members = ConfState { voters: vec![1, 2], learners: Vec::new() };
        let add = ConfChange { id: 0, kind: ConfChangeKind::Add, replica: 3, context: Arc::from([]) };
        let stored = Stored {
            hard_state: HardState { term: 4, vote: 1, commit: 10 },
            entries: vec![
                Entry { term: 4, index: 11, payload: Payload::Change(add) },
                Entry { term: 4, index: 12, payload: Payload::Nothing },
            ],
            snapshot: Some(Snapshot { index: 10, term: 3, members, data: Arc::from([]) }),
        };
        let Persist { hard_state, entries, .. } = begin(&stored, &me);
        assert_eq!(hard_state, HardState { term: 5, vote: 0, commit: 15 });
        let change = |entry: &Entry| match &entry.payload {
            Payload::Change(change) => (entry.index, change.kind, change.replica),
            other => panic!("{other:?}"),
        };
        let expected =
            [(13, ConfChangeKind::Add, 2), (14, ConfChangeKind::Remove, 1), (15, ConfChangeKind::Remove, 3)];
        assert_eq!(entries.iter().map(change).collect::<Vec<_>>(), expected);
    }
}
