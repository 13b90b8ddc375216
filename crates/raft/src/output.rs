//! What a replica wishes, and in which order its wishes must be done.
//!
//! The order of the list that `handle` returns is law: each output may be carried out as soon as those before
//! it are, and none needs to wait for more. In particular a [`Output::Send`] never runs ahead of what it
//! promises: the `Outbox` holds such a message back until the `Persisted` it depends on. A
//! pump may therefore hand [`Output::Persist`] to a thread and go on at once with the rest.

use std::sync::Arc;

use crate::entry::{ConfState, Entry, HardState, Index, ReplicaId, Snapshot, Term};
use crate::message::{Body, Message, Position};

/// The asker's number for a question; it comes back with the answer.
pub type Ticket = u64;

/// What a replica may wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this on disk, then say `Persisted`. There is never more than one unanswered.
    Persist(Persist),
    /// Say this to another replica. It may be lost.
    Send(Message),
    /// These entries stand for ever: apply them. All are on this replica's disk.
    Commit(Commit),
    /// Put this in place of the whole book. It is on this replica's disk.
    Restore(Snapshot),
    /// Who leads has changed.
    Lead(Lead),
    /// What was proposed has this place in the log. If a `Commit` brings another term at that index, it is lost.
    Accepted {
        /// The asker's number.
        ticket: Ticket,
        /// The place.
        at: Position,
    },
    /// What was asked for cannot be done here and now.
    Refused {
        /// The asker's number.
        ticket: Ticket,
        /// Why.
        why: Refused,
    },
    /// A reader who has applied everything up to `index` reads what was true when it asked.
    Readable {
        /// The asker's number.
        ticket: Ticket,
        /// Up to where.
        index: Index,
    },
    /// A follower is so far behind that it needs a snapshot: answer with `Input::Snapshot`, made of the book as
    /// applied, whenever it is ready.
    SnapshotWanted,
}

/// What must be on disk before the replica goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persist {
    /// Which; they count upwards.
    pub number: u64,
    /// The promises. Replaces what was stored.
    pub hard_state: HardState,
    /// Replaces the whole stored log; the entries follow it.
    pub snapshot: Option<Snapshot>,
    /// New entries. Whatever was stored at the first one's index and behind it is void.
    pub entries: Vec<Entry>,
}

/// Entries that stand for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The next entries in order; never empty.
    pub entries: Vec<Entry>,
    /// The group as of the last of them.
    pub members: Arc<ConfState>,
}

/// Who leads, as far as this replica knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Nobody, or nobody knows.
    Nobody {
        /// In this reign.
        term: Term,
    },
    /// Another replica.
    Other {
        /// Who.
        leader: ReplicaId,
        /// In this reign.
        term: Term,
    },
    /// This replica; but entries of earlier reigns may still come, or leadership is on its way to another.
    Elected {
        /// In this reign.
        term: Term,
    },
    /// This replica, and every entry of earlier reigns has been committed: it may propose. After a handover that
    /// came to nothing it is said again.
    Established {
        /// In this reign.
        term: Term,
    },
}

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Only the leader can.
    #[error("this replica does not lead the group")]
    NotLeader,
    /// Leadership is on its way to another replica.
    #[error("leadership is being handed over")]
    HandingOver,
    /// Another change of the group is not finished.
    #[error("another change of the group is not finished")]
    ChangePending,
    /// A group cannot lose its last voter.
    #[error("the last voter cannot be removed")]
    LastVoter,
}

/// Collects wishes in their lawful order.
///
/// A leader's own messages may overtake its disk, for it counts its disk as one more follower; and what is said of
/// reads, for it tells of the past. Everything else is a promise, and waits for the `Persist` that makes it true.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    persist: Option<Persist>,
    sends: Vec<Output>,
    others: Vec<Output>,
    /// Promises that rest on what is not yet being written.
    waiting: Vec<Message>,
    /// What is being written.
    writing: Option<Writing>,
    /// How many writes were begun.
    written: u64,
}

/// A write that was begun, and what waits for its end.
#[derive(Debug)]
pub(crate) struct Writing {
    number: u64,
    /// The promises it holds.
    pub(crate) hard_state: HardState,
    /// The snapshot in it.
    pub(crate) snapshot: Option<Index>,
    /// The last entry in it.
    pub(crate) last: Option<Position>,
    messages: Vec<Message>,
}

impl Outbox {
    /// Sends a message, now or as soon as it is true.
    pub(crate) fn send(&mut self, message: Message) {
        match message.body {
            Body::Append { .. }
            | Body::Heartbeat { .. }
            | Body::Snapshot(_)
            | Body::TimeoutNow
            | Body::ReadIndex { .. }
            | Body::ReadIndexKnown { .. } => self.sends.push(Output::Send(message)),
            _ => self.waiting.push(message),
        }
    }

    /// Adds a wish behind those already made.
    pub(crate) fn wish(&mut self, output: Output) {
        self.others.push(output);
    }

    /// What is being written.
    pub(crate) fn writing(&self) -> Option<&Writing> {
        self.writing.as_ref()
    }

    /// Begins a write; what waits now waits for its end.
    pub(crate) fn write(&mut self, hard_state: HardState, snapshot: Option<Snapshot>, entries: Vec<Entry>) {
        assert!(self.writing.is_none(), "one write at a time");
        self.written += 1;
        self.writing = Some(Writing {
            number: self.written,
            hard_state,
            snapshot: snapshot.as_ref().map(|snapshot| snapshot.index),
            last: entries.last().map(|entry| Position { index: entry.index, term: entry.term }),
            messages: std::mem::take(&mut self.waiting),
        });
        self.persist = Some(Persist { number: self.written, hard_state, snapshot, entries });
    }

    /// Nothing new has to be written: what waits depends on the present write at most.
    pub(crate) fn nothing_to_write(&mut self) {
        match &mut self.writing {
            Some(writing) => writing.messages.append(&mut self.waiting),
            None => self.sends.extend(self.waiting.drain(..).map(Output::Send)),
        }
    }

    /// Takes in that a write has ended, and lets go what waited for it.
    pub(crate) fn written(&mut self, number: u64) -> Option<Writing> {
        let mut writing = self.writing.take_if(|writing| writing.number <= number)?;
        self.sends.extend(writing.messages.drain(..).map(Output::Send));
        Some(writing)
    }

    /// Everything that may be done now, in order: first to the disk, so that it works while the rest is done.
    pub(crate) fn take(&mut self) -> Vec<Output> {
        let persist = self.persist.take().map(Output::Persist);
        persist.into_iter().chain(self.sends.drain(..)).chain(self.others.drain(..)).collect()
    }
}
