//! A container as one line of a list.

use std::collections::BTreeMap;

use model::Labels;
use serde::{Deserialize, Serialize};

use super::{EndpointSettings, MountPoint};
use crate::json::is_zero;

/// One line of `GET /containers/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// Its id.
    pub id: String,
    /// Its names, each with a slash before it.
    pub names: Vec<String>,
    /// The image as it was named.
    pub image: String,
    /// The image.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// The command in one line.
    pub command: String,
    /// When it was made, in seconds.
    pub created: i64,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Bytes written, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_rw: Option<i64>,
    /// Bytes in all, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_root_fs: Option<i64>,
    /// Its labels.
    pub labels: Labels,
    /// `created`, `running`, `paused`, `restarting`, `exited` or `dead`.
    pub state: String,
    /// In words: `Up 5 minutes (healthy)`.
    pub status: String,
    /// How it is run here.
    pub host_config: SummaryHostConfig,
    /// Its networks.
    pub network_settings: SummaryNetworkSettings,
    /// What it sees of the host.
    pub mounts: Vec<MountPoint>,
}

/// How a container is run, in one word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// The kind of its network.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_mode: String,
}

/// The networks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworkSettings {
    /// By name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// A port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Port {
    /// The address on the host.
    #[serde(rename = "IP", skip_serializing_if = "is_zero")]
    pub ip: String,
    /// The port in the container.
    pub private_port: u16,
    /// The port on the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub public_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub r#type: String,
}
