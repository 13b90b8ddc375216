//! What a container sees of the host.

use crate::meta::{Driver, Labels};

/// One mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Of which kind.
    pub kind: MountKind,
    /// A path of the host, or the name of a volume.
    pub source: String,
    /// A path in the container.
    pub target: String,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// A word of Docker Desktop.
    pub consistency: Consistency,
    /// For binds.
    pub bind: Option<BindOptions>,
    /// For volumes.
    pub volume: Option<VolumeOptions>,
    /// For file systems in memory.
    pub tmpfs: Option<TmpfsOptions>,
}

/// The kinds of mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// A path of the host.
    #[default]
    Bind,
    /// A named volume of the node.
    Volume,
    /// A file system in memory.
    Tmpfs,
    /// A named pipe of Windows nodes.
    NamedPipe,
    /// A volume of the swarm.
    Cluster,
}

/// A word of Docker Desktop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Not said.
    #[default]
    Default,
    /// Both see the same at once.
    Consistent,
    /// The host is ahead.
    Cached,
    /// The container is ahead.
    Delegated,
}

/// How a path of the host is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// What becomes of mounts beneath it.
    pub propagation: Propagation,
    /// Without what is mounted beneath it.
    pub non_recursive: bool,
    /// Makes the path if it is not there.
    pub create_mountpoint: bool,
    /// Only the top is read-only.
    pub read_only_non_recursive: bool,
    /// Refuses if what is beneath cannot be read-only.
    pub read_only_force_recursive: bool,
}

/// What becomes of mounts beneath a bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// None, in both directions, for all beneath.
    #[default]
    RPrivate,
    /// None, in both directions.
    Private,
    /// Both directions, for all beneath.
    RShared,
    /// Both directions.
    Shared,
    /// Into the container, for all beneath.
    RSlave,
    /// Into the container.
    Slave,
}

/// How a volume is shown, and made if it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeOptions {
    /// Does not fill a new volume with what the image has there.
    pub no_copy: bool,
    /// Labels of a new volume.
    pub labels: Labels,
    /// The driver of a new volume.
    pub driver: Option<Driver>,
    /// A folder within the volume.
    pub subpath: String,
}

/// A file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TmpfsOptions {
    /// The most it may hold; 0 means half the memory.
    pub size_bytes: i64,
    /// Permissions of its root, in the bits of Go's `os.FileMode`; 0 means 01777.
    pub mode: u32,
    /// More options: the JSON text of lists of words.
    pub options: String,
}
