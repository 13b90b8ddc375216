//! What a container sees of the host, once volumes have names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One mount of a container, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Of which kind.
    pub kind: MountKind,
    /// The volume's name; empty if it is none.
    pub volume: String,
    /// Where it is on the host; empty for a file system in memory.
    pub source: PathBuf,
    /// Where it shows.
    pub target: String,
    /// Whether it can be written.
    pub writable: bool,
    /// What becomes of mounts beneath; empty for volumes.
    pub propagation: String,
    /// Whether the volume was made for this container alone, without a name.
    pub anonymous: bool,
}

/// The kinds of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// A path of the host.
    Bind,
    /// A volume.
    Volume,
    /// A file system in memory.
    Tmpfs,
}
