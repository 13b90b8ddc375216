//! Volumes: of one node, and of the swarm.

use std::collections::BTreeMap;

use model::Labels;
use model::volume as nouns;
use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};

/// One volume of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Volume {
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "is_zero")]
    pub created_at: String,
    /// Who holds it.
    pub driver: String,
    /// Its labels.
    #[serde(serialize_with = "null_if_empty")]
    pub labels: Labels,
    /// Where it is.
    pub mountpoint: String,
    /// Its name.
    pub name: String,
    /// The options it was made with.
    #[serde(serialize_with = "null_if_empty")]
    pub options: BTreeMap<String, String>,
    /// `local` or `global`.
    pub scope: String,
    /// Size and users, in `/system/df` only.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage_data: Option<UsageData>,
}

/// Size and users of a volume; −1 means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UsageData {
    /// So many containers use it.
    pub ref_count: i64,
    /// In bytes.
    pub size: i64,
}

/// `GET /volumes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeList {
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}

/// `POST /volumes/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeCreate {
    /// Its name; empty means one by chance.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Who shall hold it; empty means `local`.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options for the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
    /// Its labels.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: Labels,
    /// Makes it a volume of the swarm: accepted only to be refused with a sentence.
    #[serde(skip_serializing_if = "is_zero")]
    pub cluster_volume_spec: Option<serde_json::Value>,
}

/// `POST /volumes/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumesPruned {
    /// The names of those that are gone.
    #[serde(serialize_with = "null_if_empty")]
    pub volumes_deleted: Vec<String>,
    /// In bytes.
    pub space_reclaimed: u64,
}

/// A place, in the words of a CSI plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Topology {
    /// Such as `zone` and `rack`.
    #[serde(skip_serializing_if = "is_zero")]
    pub segments: BTreeMap<String, String>,
}

impl From<&nouns::Topology> for Topology {
    fn from(nouns::Topology { segments }: &nouns::Topology) -> Self {
        Self { segments: segments.clone() }
    }
}
