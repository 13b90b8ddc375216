//! What replicas say to each other.
//!
//! Each [`Body`] names its raftpb type and fields, so that `wire` can translate it both ways. Types which never
//! travel between managers (`MsgHup`, `MsgBeat`, `MsgProp`, the storage messages) do not exist here.

use crate::entry::{Entry, Index, ReplicaId, Snapshot, Term};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub from: ReplicaId,
    /// To whom.
    pub to: ReplicaId,
    /// In which reign; 0 where the reign does not matter (`TransferLeader`, `ReadIndex`).
    pub term: Term,
    /// What.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `MsgApp` 3: put these after that (`index`, `logTerm`, `entries`, `commit`).
    Append {
        /// The entry before the first of these.
        previous: Position,
        /// What follows it.
        entries: Vec<Entry>,
        /// Up to where the leader has committed.
        commit: Index,
    },
    /// `MsgAppResp` 4, `reject` false: everything up to `index` is on disk here. An answer to a leader of an
    /// earlier reign has index 0, and says only that its reign is over.
    Appended {
        /// The last entry that matches the leader's.
        index: Index,
    },
    /// `MsgAppResp` 4, `reject` true: the entry before yours is not here.
    AppendRejected {
        /// The index of the `previous` that was refused (`index`).
        index: Index,
        /// Where both logs may still agree (`rejectHint`, `logTerm`). Its term may be 0 from old peers.
        hint: Position,
    },
    /// `MsgVote` 5 and `MsgPreVote` 17: vote for me (`index`, `logTerm`, `context`).
    Vote {
        /// Whether it is meant, or only asked.
        ballot: Ballot,
        /// The candidate's last entry.
        last: Position,
        /// The leader itself asked for this election (`context` is `CampaignTransfer`), so that even those who
        /// still hear the leader shall answer.
        by_transfer: bool,
    },
    /// `MsgVoteResp` 6 and `MsgPreVoteResp` 18 (`reject`).
    Voted {
        /// To which question this is the answer.
        ballot: Ballot,
        /// Yes or no (`reject` is the opposite).
        granted: bool,
    },
    /// `MsgSnap` 7: take all this in place of your log.
    Snapshot(Snapshot),
    /// `MsgHeartbeat` 8: I still lead (`commit`, `context`).
    Heartbeat {
        /// Up to where both know the log to be committed.
        commit: Index,
        /// A mark that the answer repeats.
        context: Vec<u8>,
    },
    /// `MsgHeartbeatResp` 9: I heard you (`context`).
    HeartbeatHeard {
        /// The heartbeat's mark.
        context: Vec<u8>,
    },
    /// `MsgTransferLeader` 13: a follower passes on the wish that `from` shall lead.
    TransferLeader,
    /// `MsgTimeoutNow` 14: hold an election at once.
    TimeoutNow,
    /// `MsgReadIndex` 15: up to where must I have applied, to read what is true now? (`entries[0].data`).
    ReadIndex {
        /// A mark that the answer repeats.
        context: Vec<u8>,
    },
    /// `MsgReadIndexResp` 16: up to here (`index`, `entries[0].data`).
    ReadIndexKnown {
        /// Up to where.
        index: Index,
        /// The question's mark.
        context: Vec<u8>,
    },
}

impl Message {
    /// Whether all numbers in it are ones that a log can reach. Whoever says others would only make us miscount.
    pub(crate) fn is_plausible(&self) -> bool {
        let Self { from: _, to: _, term, body } = self;
        let numbers = match body {
            Body::Append { previous, entries, commit } => {
                let highest = entries.iter().map(|entry| entry.index.max(entry.term)).max();
                [previous.index, previous.term, *commit, highest.unwrap_or(0)]
            }
            Body::Appended { index } => [*index, 0, 0, 0],
            Body::AppendRejected { index, hint } => [*index, hint.index, hint.term, 0],
            Body::Vote { ballot: _, last, by_transfer: _ } => [last.index, last.term, 0, 0],
            Body::Snapshot(snapshot) => [snapshot.index, snapshot.term, 0, 0],
            Body::Heartbeat { commit, context: _ } => [*commit, 0, 0, 0],
            Body::ReadIndexKnown { index, context: _ } => [*index, 0, 0, 0],
            Body::Voted { .. }
            | Body::HeartbeatHeard { .. }
            | Body::TransferLeader
            | Body::TimeoutNow
            | Body::ReadIndex { .. } => [0; 4],
        };
        numbers.into_iter().chain([*term]).all(|number| number < NUMBER_MAX)
    }
}

/// An entry's place and reign, which together name it in all logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The place.
    pub index: Index,
    /// The reign.
    pub term: Term,
}

/// How serious a vote is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ballot {
    /// It counts.
    Real,
    /// It only asks whether a real one would be won; nobody's reign changes.
    Pre,
}

/// Beyond any log: a million entries a second would take a hundred thousand years to get there.
const NUMBER_MAX: u64 = 1 << 62;
