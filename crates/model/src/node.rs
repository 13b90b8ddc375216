//! A machine of the swarm.

use crate::id::NodeId;
use crate::meta::{Annotations, Labels, Meta};
use crate::network::NetworkAttachment;
use crate::spec::resources::{Platform, Resources};
use crate::volume::Topology;

/// One machine, as the managers know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its id, which its certificate names too.
    pub id: NodeId,
    /// Version and times.
    pub meta: Meta,
    /// What users wish of it.
    pub spec: NodeSpec,
    /// What it says of itself; absent until its first session.
    pub description: Option<NodeDescription>,
    /// How it is.
    pub status: NodeStatus,
    /// Present while it is a member of the Raft group.
    pub manager_status: Option<ManagerStatus>,
    /// Its own addresses in the overlay networks that its tasks use.
    pub attachments: Vec<NetworkAttachment>,
    /// The certificate it asked for or has.
    pub certificate: Certificate,
    /// What it is, as opposed to what it is wished to be.
    pub role: NodeRole,
    /// The UDP port of the data plane; 0 means 4789.
    pub vxlan_port: u32,
}

/// What users wish of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// What it shall be.
    pub desired_role: NodeRole,
    /// Whether it may take part.
    pub membership: Membership,
    /// Whether it may run tasks.
    pub availability: Availability,
}

/// Worker or manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeRole {
    /// Runs tasks.
    #[default]
    Worker,
    /// Holds the book too.
    Manager,
}

/// Whether a node has been let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Waits to be let in.
    #[default]
    Pending,
    /// Is in.
    Accepted,
}

/// Whether a node may run tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Availability {
    /// Old and new ones.
    #[default]
    Active,
    /// Those it has, but no new ones.
    Pause,
    /// None: they are moved elsewhere.
    Drain,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeDescription {
    /// Its host name.
    pub hostname: String,
    /// Processor and system.
    pub platform: Option<Platform>,
    /// What it has in all.
    pub resources: Option<Resources>,
    /// Its engine.
    pub engine: Option<EngineDescription>,
    /// What its certificate hangs on.
    pub tls_info: Option<NodeTlsInfo>,
    /// Whether it is in FIPS mode.
    pub fips: bool,
    /// Its CSI plugins.
    pub csi_info: Vec<NodeCsiInfo>,
}

/// The engine of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineDescription {
    /// Its version in words.
    pub engine_version: String,
    /// The labels its operator gave the daemon.
    pub labels: Labels,
    /// The drivers it has.
    pub plugins: Vec<PluginDescription>,
}

/// One driver of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginDescription {
    /// `Network`, `Volume`, `Log` …
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What a node's certificate hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTlsInfo {
    /// The roots it trusts, PEM.
    pub trust_root: Vec<u8>,
    /// The subject of its certificate's issuer, DER.
    pub cert_issuer_subject: Vec<u8>,
    /// The public key of its certificate's issuer, DER.
    pub cert_issuer_public_key: Vec<u8>,
}

/// One CSI plugin of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCsiInfo {
    /// Its name.
    pub plugin_name: String,
    /// The node's id in the plugin's words.
    pub node_id: String,
    /// How many volumes it can attach; 0 means any number.
    pub max_volumes_per_node: i64,
    /// From where volumes can be reached.
    pub accessible_topology: Option<Topology>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// In one word.
    pub state: NodeState,
    /// Why.
    pub message: String,
    /// From where it was last heard.
    pub addr: String,
}

/// How a node is, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeState {
    /// Not heard since the leader changed.
    #[default]
    Unknown,
    /// Not heard for too long.
    Down,
    /// Heard.
    Ready,
    /// Looks for another manager.
    Disconnected,
}

/// A node's place in the Raft group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagerStatus {
    /// Its number in the group.
    pub raft_id: u64,
    /// Where other managers reach it.
    pub addr: String,
    /// Whether it leads.
    pub leader: bool,
    /// Whether it answers.
    pub reachability: Reachability,
}

/// Whether a manager answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Not tried yet.
    #[default]
    Unknown,
    /// It does not.
    Unreachable,
    /// It does.
    Reachable,
}

/// A node's certificate: asked for, or issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// For which role.
    pub role: NodeRole,
    /// The request, PEM.
    pub csr: Vec<u8>,
    /// How far it is.
    pub status: IssuanceStatus,
    /// The chain, PEM; empty until issued.
    pub certificate: Vec<u8>,
    /// The common name: the node's id.
    pub common_name: String,
}

/// How far a certificate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuanceStatus {
    /// In one word.
    pub state: IssuanceState,
    /// Why it failed.
    pub err: String,
}

/// How far a certificate is, in one word (`security.md` section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuanceState {
    /// Nothing was asked.
    #[default]
    Unknown,
    /// A node that has one asks for a new one.
    Renew,
    /// A new node asks for its first.
    Pending,
    /// Signed.
    Issued,
    /// Cannot be signed.
    Failed,
    /// Signed, and the node is told to ask for a new one.
    Rotate,
}

impl Node {
    /// The name users see: given, or the host's.
    pub fn name(&self) -> &str {
        match &self.description {
            Some(description) if self.spec.annotations.name.is_empty() => &description.hostname,
            _ => &self.spec.annotations.name,
        }
    }

    /// True if tasks on it must be replaced elsewhere: it is down, or shall be empty.
    pub fn is_invalid(&self) -> bool {
        self.status.state == NodeState::Down || self.spec.availability == Availability::Drain
    }
}
