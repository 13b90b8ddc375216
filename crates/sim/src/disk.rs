//! What survives a crash: what was written, and perhaps a part of what was being written.
//!
//! In: writes, in order. Out: what a replica starts from. A full disk keeps its writes waiting until there is room.

use std::collections::VecDeque;

use model::Chance;
use raft::{Entry, HardState, Index, Persist, ReplicaId, Snapshot, Stored};

/// The disk of one manager.
#[derive(Debug)]
pub struct Disk {
    /// The replica whose log is on it.
    pub replica: ReplicaId,
    /// Whether there is no room.
    pub is_full: bool,
    /// Whether the machine loses its power in the midst of the next write.
    pub trips: bool,
    stored: Stored,
    waiting: VecDeque<Write>,
}

/// Something to be written.
#[derive(Clone, Debug)]
pub enum Write {
    /// What a replica wishes to persist.
    Persist(Persist),
    /// A snapshot of the book, in place of what is older.
    Compact(Snapshot),
}

/// What is left of a write that was under way when the machine fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// Some of it.
    Part,
    /// All of it, though nobody was told so.
    Everything,
}

impl Disk {
    /// A disk with this on it.
    pub fn of(replica: ReplicaId, stored: Stored) -> Self {
        Self { replica, is_full: false, trips: false, stored, waiting: VecDeque::new() }
    }

    /// What would be found on it after a crash now, at least.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Begins a write behind those that wait.
    pub fn begin(&mut self, write: Write) {
        self.waiting.push_back(write);
    }

    /// Ends the first write that waits, if there is room for it.
    pub fn end(&mut self) -> Option<Write> {
        if self.is_full {
            return None;
        }
        let write = self.waiting.pop_front()?;
        self.put(&write);
        Some(write)
    }

    /// How many writes wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Loses what was not synced. Of the first write that waits a part may be there all the same: the promises, and
    /// some of the entries. Says what is left of that one, if one was under way.
    pub fn crash(&mut self, chance: &mut Chance) -> Option<Remains> {
        match std::mem::take(&mut self.waiting).into_iter().next()? {
            Write::Persist(mut persist) if chance.one_in(2, 3) => {
                let all = persist.entries.len();
                let kept = chance.below(all as u64 + 1) as usize;
                persist.entries.truncate(kept);
                self.put(&Write::Persist(persist));
                Some(if kept < all { Remains::Part } else { Remains::Everything })
            }
            write @ Write::Compact(_) if chance.one_in(1, 2) => {
                self.put(&write);
                Some(Remains::Everything)
            }
            Write::Persist(_) | Write::Compact(_) => Some(Remains::Nothing),
        }
    }

    /// Whether this entry is on it, or a snapshot that holds it.
    pub fn holds(&self, entry: &Entry) -> bool {
        self.snapshot_index() >= entry.index || self.entry(entry.index) == Some(entry)
    }

    /// The entry at this place, if it is on it.
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        let first = self.stored.entries.first()?.index;
        self.stored.entries.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }

    fn snapshot_index(&self) -> Index {
        self.stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.index)
    }

    fn put(&mut self, write: &Write) {
        let stored = &mut self.stored;
        match write {
            Write::Persist(Persist { number: _, hard_state, snapshot, entries }) => {
                stored.hard_state = *hard_state;
                if let Some(snapshot) = snapshot {
                    stored.entries.clear();
                    stored.snapshot = Some(snapshot.clone());
                }
                if let Some(first) = entries.first() {
                    stored.entries.retain(|entry| entry.index < first.index);
                    stored.entries.extend(entries.iter().cloned());
                }
            }
            // One of a book that a leader's snapshot has replaced meanwhile is no news.
            Write::Compact(snapshot) if snapshot.index > self.snapshot_index() => self.compact(snapshot),
            Write::Compact(_) => {}
        }
    }

    fn compact(&mut self, snapshot: &Snapshot) {
        let Stored { hard_state, entries, snapshot: kept } = &mut self.stored;
        entries.retain(|entry| entry.index > snapshot.index);
        *hard_state = HardState { commit: hard_state.commit.max(snapshot.index), ..*hard_state };
        *kept = Some(snapshot.clone());
    }
}
