//! A cluster volume: storage that a CSI plugin holds for the swarm.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::{NodeId, VolumeId};
use crate::meta::{Annotations, Driver, Meta};
use crate::node::Availability;

/// One cluster volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// Version and times.
    pub meta: Meta,
    /// What is wished.
    pub spec: VolumeSpec,
    /// On which nodes it is.
    pub publish_status: Vec<VolumePublishStatus>,
    /// What the plugin says of it; absent until made.
    pub info: Option<VolumeInfo>,
    /// Marked for deletion.
    pub pending_delete: bool,
}

/// What a user wishes of a cluster volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// Volumes of one group are interchangeable.
    pub group: String,
    /// The plugin.
    pub driver: Option<Driver>,
    /// Who may use it at the same time, and how.
    pub access_mode: Option<VolumeAccessMode>,
    /// Words the plugin needs.
    pub secrets: Vec<VolumeSecret>,
    /// From where it must be reached.
    pub accessibility_requirements: Option<TopologyRequirement>,
    /// How large.
    pub capacity_range: Option<CapacityRange>,
    /// Whether tasks may use it.
    pub availability: Availability,
}

/// Who may use a volume at the same time, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeAccessMode {
    /// On how many nodes.
    pub scope: VolumeScope,
    /// By how many tasks.
    pub sharing: VolumeSharing,
    /// As a file system or a device.
    pub access: Option<VolumeAccess>,
}

/// On how many nodes a volume may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeScope {
    /// One at a time.
    #[default]
    SingleNode,
    /// Several.
    MultiNode,
}

/// By how many tasks a volume may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeSharing {
    /// One at a time.
    #[default]
    None,
    /// Several that read.
    ReadOnly,
    /// One that writes, several that read.
    OneWriter,
    /// All may write.
    All,
}

/// How a volume shows in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeAccess {
    /// As a device.
    Block,
    /// As a file system.
    Mount {
        /// Which kind.
        fs_type: String,
        /// Flags for mounting it.
        mount_flags: Vec<String>,
    },
}

/// A word that a plugin needs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct VolumeSecret {
    /// What the plugin calls it.
    pub key: String,
    /// The id or name of a secret.
    pub secret: String,
}

impl fmt::Debug for VolumeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

/// From where a volume must be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopologyRequirement {
    /// At least one of these.
    pub requisite: Vec<Topology>,
    /// Rather these.
    pub preferred: Vec<Topology>,
}

/// A place, in a plugin's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Such as `zone` and `rack`.
    pub segments: BTreeMap<String, String>,
}

/// How large a volume shall be, in bytes; 0 means no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityRange {
    /// At least.
    pub required_bytes: i64,
    /// At most.
    pub limit_bytes: i64,
}

/// Where a volume is on its way to or from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePublishStatus {
    /// The node.
    pub node_id: NodeId,
    /// How far.
    pub state: VolumePublishState,
    /// What the plugin told.
    pub publish_context: BTreeMap<String, String>,
    /// In a sentence.
    pub message: String,
}

/// How far a volume is on its way to or from a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumePublishState {
    /// Shall come.
    #[default]
    PendingPublish,
    /// Is there.
    Published,
    /// The node shall let it go.
    PendingNodeUnpublish,
    /// Shall be taken away.
    PendingUnpublish,
}

/// What a plugin says of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeInfo {
    /// How large it is.
    pub capacity_bytes: i64,
    /// What the plugin wants to be told again.
    pub volume_context: BTreeMap<String, String>,
    /// Its id in the plugin's words.
    pub volume_id: String,
    /// From where it can be reached.
    pub accessible_topology: Vec<Topology>,
}

/// A volume as a node is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeAssignment {
    /// The volume.
    pub id: VolumeId,
    /// Its id in the plugin's words.
    pub volume_id: String,
    /// The plugin.
    pub driver: Option<Driver>,
    /// What the plugin wants to be told again.
    pub volume_context: BTreeMap<String, String>,
    /// What the plugin told when it was brought to the node.
    pub publish_context: BTreeMap<String, String>,
    /// How it may be used.
    pub access_mode: Option<VolumeAccessMode>,
    /// Words the plugin needs.
    pub secrets: Vec<VolumeSecret>,
}
