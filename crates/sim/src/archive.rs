//! What bytes stand for. In this world an entry's bytes are a number, behind which its changes lie; a snapshot's too.
//!
//! In: changes, books. Out: numbers as bytes, and what is behind them. How they look on a wire is no concern of a
//! storm, and would cost most of its time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use raft::{Bytes, ConfChange, ConfChangeKind, ReplicaId};
use store::{Change, State};

use crate::swarm::NodeNumber;

/// Everything that was ever written.
#[derive(Debug, Default)]
pub struct Archive {
    drafts: Vec<Arc<[Change]>>,
    pages: Vec<Page>,
}

/// The book and the group, as a snapshot holds them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The book.
    pub book: State,
    /// The group.
    pub members: Members,
}

/// Who is in the group of managers, and where; and who once was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those in the group.
    pub present: BTreeMap<ReplicaId, NodeNumber>,
    /// Those who left; their numbers never return.
    pub removed: BTreeSet<ReplicaId>,
}

impl Archive {
    /// Keeps changes; returns what stands for them.
    pub fn keep(&mut self, changes: Vec<Change>) -> Bytes {
        self.drafts.push(changes.into());
        number(self.drafts.len() - 1)
    }

    /// The changes that these bytes stand for.
    pub fn changes(&self, data: &[u8]) -> Arc<[Change]> {
        Arc::clone(&self.drafts[place(data)])
    }

    /// Keeps a snapshot; returns what stands for it.
    pub fn keep_page(&mut self, page: Page) -> Bytes {
        self.pages.push(page);
        number(self.pages.len() - 1)
    }

    /// The snapshot that these bytes stand for.
    pub fn page(&self, data: &[u8]) -> &Page {
        &self.pages[place(data)]
    }
}

impl Members {
    /// Takes in a committed change.
    pub fn apply(&mut self, change: &ConfChange) {
        match change.kind {
            ConfChangeKind::Remove => {
                self.present.remove(&change.replica);
                self.removed.insert(change.replica);
            }
            ConfChangeKind::Add | ConfChangeKind::Update | ConfChangeKind::AddLearner => {
                self.present.insert(change.replica, address(&change.context));
            }
        }
    }

    /// The replica of this machine, if it has one.
    pub fn replica_of(&self, number: NodeNumber) -> Option<ReplicaId> {
        self.present.iter().find(|(_, at)| **at == number).map(|(id, _)| *id)
    }
}

/// Where a member lives, as a change of the group says it.
pub fn context(number: NodeNumber) -> Bytes {
    Arc::from(number.0.to_be_bytes())
}

fn address(context: &[u8]) -> NodeNumber {
    NodeNumber(u32::from_be_bytes(context.try_into().expect("a member's context is its machine's number")))
}

fn number(place: usize) -> Bytes {
    Arc::from((place as u64).to_be_bytes())
}

fn place(data: &[u8]) -> usize {
    u64::from_be_bytes(data.try_into().expect("data is a number of the archive")) as usize
}
