//! The tongue between nodes: SwarmKit's protobuf and gRPC.
//!
//! Words of the wire come in and nouns of the model go out, and back: the messages are generated from `proto/`,
//! `convert` translates one noun per file. What is here decides nothing; what it cannot read it calls
//! [`Malformed`].

pub mod channel;

mod change;
mod convert;
mod raft;

pub use change::{Member, Snapshot, entry_from_bytes, entry_to_bytes};
pub use channel::Peer;
pub use convert::{Malformed, OnWire, refusal_of, status_of};

/// SwarmKit's messages and services (`docker.swarmkit.v1`), as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated: described in proto/*.proto"
)]
pub mod proto {
    tonic::include_proto!("docker.swarmkit.v1");
}

/// The services of managers of this project for each other (`skep.v1`), as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated: described in proto/skep.proto"
)]
pub mod ours {
    tonic::include_proto!("skep.v1");
}

/// etcd's messages of Raft, as generated.
#[allow(missing_docs, clippy::all, reason = "generated: described in proto/raftpb.proto")]
pub mod raftpb {
    tonic::include_proto!("raftpb");
}
