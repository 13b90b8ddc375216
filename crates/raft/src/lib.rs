//! The order of changes: a pure Raft replica.
//!
//! A `Replica` is the machine; [`Input`] and [`Output`] are all it hears and wishes. It speaks raftpb's messages
//! with etcd's meaning, so that it can share a group with stock managers (`wire` translates the bytes). It has
//! no clock, no disk and no socket: the pump in `manager` carries out what it wishes, in the order given.

pub mod entry;
pub mod message;
pub mod output;

pub use entry::{
    Bytes, ConfChange, ConfChangeKind, ConfState, Entry, HardState, Index, Payload, ReplicaId, Snapshot,
    Stored, Term,
};
pub use message::{Ballot, Body, Message, Position};
pub use output::{Commit, Input, Lead, Output, Persist, Refused, SnapshotOutcome, Ticket};
