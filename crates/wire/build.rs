//! Makes Rust of the messages in `proto/`, without `protoc`.
//!
//! Raft's messages are their own package and made first; the others refer to them.

use std::error::Error;

/// Everything of the packages `docker.swarmkit.v1` and `skep.v1`; the rest is imported by these.
const SERVICES: [&str; 10] = [
    "ca.proto",
    "control.proto",
    "dispatcher.proto",
    "health.proto",
    "logbroker.proto",
    "raft.proto",
    "resource.proto",
    "skep.proto",
    "snapshot.proto",
    "watch.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");

    let raft = protox::compile(["raftpb.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(raft)?;

    // Ordered maps, so that equal objects become equal bytes.
    let services = protox::compile(SERVICES, ["proto"])?;
    tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".raftpb", "crate::raftpb")
        .compile_fds(services)?;
    Ok(())
}
