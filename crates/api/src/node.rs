//! Nodes.

use model::Labels;
use model::node as nouns;
use model::node::{Availability, Membership, NodeRole, NodeState, Reachability};
use serde::{Deserialize, Serialize};

use crate::base64::Base64;
use crate::error::ApiError;
use crate::json::is_zero;
use crate::meta::ObjectVersion;
use crate::spec::resources::{Platform, Resources};
use crate::time::Time;
use crate::volume::Topology;

/// One machine of the swarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Node {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// What users wish of it.
    pub spec: NodeSpec,
    /// What it says of itself.
    pub description: NodeDescription,
    /// How it is.
    pub status: NodeStatus,
    /// Present while it is a manager.
    #[serde(skip_serializing_if = "is_zero")]
    pub manager_status: Option<ManagerStatus>,
}

/// What users wish of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeSpec {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// `worker` or `manager`.
    #[serde(skip_serializing_if = "is_zero")]
    pub role: String,
    /// `active`, `pause` or `drain`.
    #[serde(skip_serializing_if = "is_zero")]
    pub availability: String,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeDescription {
    /// Its host name.
    #[serde(skip_serializing_if = "is_zero")]
    pub hostname: String,
    /// Processor and system.
    pub platform: Platform,
    /// What it has in all.
    pub resources: Resources,
    /// Its engine.
    pub engine: EngineDescription,
    /// What its certificate hangs on.
    #[serde(rename = "TLSInfo")]
    pub tls_info: TlsInfo,
    /// Its CSI plugins.
    #[serde(rename = "CSIInfo", skip_serializing_if = "is_zero")]
    pub csi_info: Vec<CsiInfo>,
}

/// The engine of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EngineDescription {
    /// Its version in words.
    #[serde(skip_serializing_if = "is_zero")]
    pub engine_version: String,
    /// The labels its operator gave the daemon.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: Labels,
    /// The drivers it has.
    #[serde(skip_serializing_if = "is_zero")]
    pub plugins: Vec<PluginDescription>,
}

/// One driver of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PluginDescription {
    /// `Network`, `Volume`, `Log` …
    #[serde(skip_serializing_if = "is_zero")]
    pub r#type: String,
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
}

/// What certificates hang on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TlsInfo {
    /// The trusted roots, PEM.
    #[serde(skip_serializing_if = "is_zero")]
    pub trust_root: String,
    /// The subject of the issuer, DER.
    #[serde(skip_serializing_if = "is_zero")]
    pub cert_issuer_subject: Base64,
    /// The public key of the issuer, DER.
    #[serde(skip_serializing_if = "is_zero")]
    pub cert_issuer_public_key: Base64,
}

/// One CSI plugin of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CsiInfo {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub plugin_name: String,
    /// The node's id in the plugin's words.
    #[serde(rename = "NodeID", skip_serializing_if = "is_zero")]
    pub node_id: String,
    /// How many volumes it can attach.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_volumes_per_node: i64,
    /// From where volumes can be reached.
    #[serde(skip_serializing_if = "is_zero")]
    pub accessible_topology: Option<Topology>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NodeStatus {
    /// `unknown`, `down`, `ready` or `disconnected`.
    #[serde(skip_serializing_if = "is_zero")]
    pub state: String,
    /// Why.
    #[serde(skip_serializing_if = "is_zero")]
    pub message: String,
    /// From where it was last heard.
    #[serde(skip_serializing_if = "is_zero")]
    pub addr: String,
}

/// A node's place in the Raft group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ManagerStatus {
    /// Whether it leads.
    #[serde(skip_serializing_if = "is_zero")]
    pub leader: bool,
    /// `unknown`, `unreachable` or `reachable`.
    #[serde(skip_serializing_if = "is_zero")]
    pub reachability: String,
    /// Where other managers reach it.
    #[serde(skip_serializing_if = "is_zero")]
    pub addr: String,
}

impl NodeSpec {
    /// The model's wish. Membership is not a wish of this API.
    pub fn into_model(self) -> Result<nouns::NodeSpec, ApiError> {
        let Self { name, labels, role, availability } = self;
        Ok(nouns::NodeSpec {
            annotations: crate::meta::annotations(name, labels),
            desired_role: role_from(&role)?,
            membership: Membership::Accepted,
            availability: availability_from(&availability)?,
        })
    }
}

impl From<&nouns::NodeSpec> for NodeSpec {
    fn from(spec: &nouns::NodeSpec) -> Self {
        let nouns::NodeSpec { annotations, desired_role, membership: _, availability } = spec;
        Self {
            name: annotations.name.clone(),
            labels: annotations.labels.clone(),
            role: role_word(*desired_role).to_owned(),
            availability: availability_word(*availability).to_owned(),
        }
    }
}

/// Reads a role.
pub fn role_from(word: &str) -> Result<NodeRole, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "worker" => Ok(NodeRole::Worker),
        "manager" => Ok(NodeRole::Manager),
        _ => Err(ApiError::invalid(format!("invalid Role: \"{word}\""))),
    }
}

/// A role as users read it.
pub fn role_word(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Worker => "worker",
        NodeRole::Manager => "manager",
    }
}

/// Reads an availability.
pub fn availability_from(word: &str) -> Result<Availability, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "active" => Ok(Availability::Active),
        "pause" => Ok(Availability::Pause),
        "drain" => Ok(Availability::Drain),
        _ => Err(ApiError::invalid(format!("invalid Availability: \"{word}\""))),
    }
}

/// An availability as users read it.
pub fn availability_word(availability: Availability) -> &'static str {
    match availability {
        Availability::Active => "active",
        Availability::Pause => "pause",
        Availability::Drain => "drain",
    }
}

/// A state as users read it.
pub fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Unknown => "unknown",
        NodeState::Down => "down",
        NodeState::Ready => "ready",
        NodeState::Disconnected => "disconnected",
    }
}

/// A reachability as users read it.
pub fn reachability_word(reachability: Reachability) -> &'static str {
    match reachability {
        Reachability::Unknown => "unknown",
        Reachability::Unreachable => "unreachable",
        Reachability::Reachable => "reachable",
    }
}

impl From<&nouns::Node> for Node {
    fn from(node: &nouns::Node) -> Self {
        let nouns::Node {
            id,
            meta,
            spec,
            description,
            status,
            manager_status,
            attachments: _,
            certificate: _,
            role: _,
            vxlan_port: _,
        } = node;
        let nouns::NodeStatus { state, message, addr } = status;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: NodeSpec::from(spec),
            description: description.as_ref().map(NodeDescription::from).unwrap_or_default(),
            status: NodeStatus {
                state: state_word(*state).to_owned(),
                message: message.clone(),
                addr: addr.clone(),
            },
            manager_status: manager_status.as_ref().map(ManagerStatus::from),
        }
    }
}

impl From<&nouns::NodeDescription> for NodeDescription {
    fn from(description: &nouns::NodeDescription) -> Self {
        let nouns::NodeDescription { hostname, platform, resources, engine, tls_info, fips: _, csi_info } =
            description;
        Self {
            hostname: hostname.clone(),
            platform: platform.as_ref().map(Platform::from).unwrap_or_default(),
            resources: resources.as_ref().map(Resources::from).unwrap_or_default(),
            engine: engine.as_ref().map(EngineDescription::from).unwrap_or_default(),
            tls_info: tls_info.as_ref().map(TlsInfo::from).unwrap_or_default(),
            csi_info: csi_info.iter().map(CsiInfo::from).collect(),
        }
    }
}

impl From<&nouns::EngineDescription> for EngineDescription {
    fn from(nouns::EngineDescription { engine_version, labels, plugins }: &nouns::EngineDescription) -> Self {
        let plugin = |nouns::PluginDescription { kind, name }: &nouns::PluginDescription| PluginDescription {
            r#type: kind.clone(),
            name: name.clone(),
        };
        Self {
            engine_version: engine_version.clone(),
            labels: labels.clone(),
            plugins: plugins.iter().map(plugin).collect(),
        }
    }
}

impl From<&nouns::NodeTlsInfo> for TlsInfo {
    fn from(info: &nouns::NodeTlsInfo) -> Self {
        let nouns::NodeTlsInfo { trust_root, cert_issuer_subject, cert_issuer_public_key } = info;
        Self {
            trust_root: String::from_utf8_lossy(trust_root).into_owned(),
            cert_issuer_subject: Base64(cert_issuer_subject.clone()),
            cert_issuer_public_key: Base64(cert_issuer_public_key.clone()),
        }
    }
}

impl From<&nouns::NodeCsiInfo> for CsiInfo {
    fn from(info: &nouns::NodeCsiInfo) -> Self {
        let nouns::NodeCsiInfo { plugin_name, node_id, max_volumes_per_node, accessible_topology } = info;
        Self {
            plugin_name: plugin_name.clone(),
            node_id: node_id.clone(),
            max_volumes_per_node: *max_volumes_per_node,
            accessible_topology: accessible_topology.as_ref().map(Topology::from),
        }
    }
}

impl From<&nouns::ManagerStatus> for ManagerStatus {
    fn from(status: &nouns::ManagerStatus) -> Self {
        let nouns::ManagerStatus { raft_id: _, addr, leader, reachability } = status;
        Self {
            leader: *leader,
            reachability: reachability_word(*reachability).to_owned(),
            addr: addr.clone(),
        }
    }
}
