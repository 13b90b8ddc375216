//! The order of changes: a pure Raft replica.
//!
//! [`Replica`] is the machine; [`Input`] and [`Output`] are all it hears and wishes. It speaks raftpb's messages
//! with etcd's meaning, so that it can share a group with stock managers (`wire` translates the bytes). It has
//! no clock, no disk and no socket: the pump in `manager` carries out what it wishes, in the order given.

mod election;
pub mod entry;
mod lease;
mod log;
mod membership;
pub mod message;
pub mod output;
mod progress;
mod quorum;
mod read_index;
pub mod replica;
mod replication;
mod snapshot;
mod transfer;

pub use entry::{
    Bytes, ConfChange, ConfChangeKind, ConfState, Entry, HardState, Index, Payload, ReplicaId, Snapshot,
    Stored, Term,
};
pub use message::{Ballot, Body, Message, Position};
pub use output::{Commit, Lead, Output, Persist, Refused, Ticket};
pub use replica::{Config, Input, Replica, SnapshotOutcome};
