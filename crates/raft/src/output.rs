//! What a replica hears and wishes, and in which order its wishes must be done.
//!
//! The order of the list that `handle` returns is law: each output may be carried out as soon as those before
//! it are, and none needs to wait for more. In particular a [`Output::Send`] never runs ahead of what it
//! promises: the replica itself holds such a message back until the [`Input::Persisted`] it depends on. A
//! pump may therefore hand [`Output::Persist`] to a thread and go on at once with the rest.

use std::sync::Arc;

use crate::entry::{Bytes, ConfChange, ConfState, Entry, HardState, Index, ReplicaId, Snapshot, Term};
use crate::message::{Message, Position};

/// The asker's number for a question; it comes back with the answer.
pub type Ticket = u64;

/// What a replica may hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Another replica said something.
    Message(Message),
    /// Someone wants this in the log. Answered by `Accepted` or `Refused`.
    Propose {
        /// The asker's number.
        ticket: Ticket,
        /// What to put there.
        data: Bytes,
    },
    /// Someone wants the group changed. Answered by `Accepted` or `Refused`.
    Membership {
        /// The asker's number.
        ticket: Ticket,
        /// How.
        change: ConfChange,
    },
    /// The `Persist` of this number, and so each before it, is safe on disk.
    Persisted(u64),
    /// Someone wants to read what is true now. Answered by `Readable` or `Refused`.
    Read {
        /// The asker's number.
        ticket: Ticket,
    },
    /// This replica shall lead instead of the present leader.
    TransferLeader(ReplicaId),
    /// A snapshot of the book as applied, as `SnapshotWanted` asked for.
    Snapshot(Snapshot),
    /// A stored snapshot contains everything up to here; the entries up to here need not be kept.
    Compact(Index),
    /// A message to this replica could not be delivered.
    Unreachable(ReplicaId),
    /// How sending a snapshot to this replica ended.
    SnapshotSent {
        /// To whom it was sent.
        to: ReplicaId,
        /// How it ended.
        outcome: SnapshotOutcome,
    },
    /// The time it asked for has come.
    Wake,
}

/// How sending a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// All of it was handed over.
    Delivered,
    /// Not all of it.
    Failed,
}

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
    /// This replica; but entries of earlier reigns may still come.
    Elected {
        /// In this reign.
        term: Term,
    },
    /// This replica, and every entry of earlier reigns has been committed: it may propose.
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
    /// The leader has not committed anything in its reign.
    #[error("the leader is too new to answer")]
    TooNew,
}
