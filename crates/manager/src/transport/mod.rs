//! Raft's messages between managers: `outgoing` carries them, on a `line` to each of the others, by a lasting `talk` or,
//! to stock managers, in a `call` for each; `incoming` takes them in.
//!
//! A message may be lost; then the replica is told. One that arrives was sent by a manager (TLS and the services'
//! guard see to that), but not yet by a member of the group. Nothing here knows what the messages are for.

mod call;
mod incoming;
mod line;
mod outgoing;
mod talk;
#[cfg(test)]
mod tests;

pub use incoming::Incoming;
pub use outgoing::Outgoing;

/// What a stock manager answers to one that was removed: it then ends itself. Text and code are the signal.
const REMOVED: &str = "raft: member was removed from the cluster";
