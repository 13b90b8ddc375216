//! Images.

use std::collections::BTreeMap;

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::container::{ContainerConfig, GraphDriver};
use crate::json::{is_zero, null_if_empty};
use crate::time::Time;

/// One line of `GET /images/json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// So many containers use it; −1 means not counted.
    pub containers: i64,
    /// When it was made, in seconds.
    pub created: i64,
    /// `sha256:…`
    pub id: String,
    /// Its labels.
    #[serde(serialize_with = "null_if_empty")]
    pub labels: Labels,
    /// The image it was built on.
    pub parent_id: String,
    /// `name@sha256:…`
    pub repo_digests: Vec<String>,
    /// `name:tag`
    pub repo_tags: Vec<String>,
    /// Bytes shared with others; −1 means not counted.
    pub shared_size: i64,
    /// In bytes.
    pub size: i64,
    /// The same; a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub virtual_size: i64,
}

/// `GET /images/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageInspect {
    /// `sha256:…`
    pub id: String,
    /// `name:tag`
    pub repo_tags: Vec<String>,
    /// `name@sha256:…`
    pub repo_digests: Vec<String>,
    /// The image it was built on.
    pub parent: String,
    /// What its maker said.
    pub comment: String,
    /// When it was made.
    pub created: Time,
    /// The version of the engine that made it.
    pub docker_version: String,
    /// Its maker.
    pub author: String,
    /// What containers of it are like.
    pub config: ContainerConfig,
    /// For which processor.
    pub architecture: String,
    /// Which kind of that processor.
    #[serde(skip_serializing_if = "is_zero")]
    pub variant: String,
    /// For which system.
    pub os: String,
    /// In bytes.
    pub size: i64,
    /// The same; a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub virtual_size: i64,
    /// Where its layers are.
    pub graph_driver: GraphDriver,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    /// What this node knows of it.
    pub metadata: ImageMetadata,
}

/// The layers of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RootFs {
    /// Always `layers`.
    pub r#type: String,
    /// Digests of the unpacked layers.
    pub layers: Vec<String>,
}

/// What a node knows of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageMetadata {
    /// When it was named last.
    pub last_tag_time: Time,
}

/// One line of `GET /images/{name}/history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HistoryItem {
    /// What its maker said.
    pub comment: String,
    /// When, in seconds.
    pub created: i64,
    /// By which command.
    pub created_by: String,
    /// The image, or `<missing>`.
    pub id: String,
    /// In bytes.
    pub size: i64,
    /// `name:tag`
    #[serde(serialize_with = "null_if_empty")]
    pub tags: Vec<String>,
}

/// One line of the answer to a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageDeleted {
    /// A name is gone.
    #[serde(skip_serializing_if = "is_zero")]
    pub untagged: String,
    /// An image or a layer is gone.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: String,
}

/// `POST /images/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImagesPruned {
    /// What is gone.
    #[serde(serialize_with = "null_if_empty")]
    pub images_deleted: Vec<ImageDeleted>,
    /// In bytes.
    pub space_reclaimed: u64,
}

/// One line of progress, while an image comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Plain text, as loading prints it.
    #[serde(skip_serializing_if = "is_zero")]
    pub stream: String,
    /// What is done.
    #[serde(skip_serializing_if = "is_zero")]
    pub status: String,
    /// How far.
    #[serde(rename = "progressDetail", skip_serializing_if = "is_zero")]
    pub progress_detail: Option<ProgressDetail>,
    /// How far, as a bar.
    #[serde(skip_serializing_if = "is_zero")]
    pub progress: String,
    /// The layer.
    #[serde(skip_serializing_if = "is_zero")]
    pub id: String,
    /// Why it failed.
    #[serde(rename = "errorDetail", skip_serializing_if = "is_zero")]
    pub error_detail: Option<ErrorDetail>,
    /// Why it failed: a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub error: String,
}

/// How far something is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// So much is done.
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    /// Of so much.
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u64,
}

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// In a sentence.
    pub message: String,
}

/// `GET /distribution/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DistributionInspect {
    /// What the registry has.
    pub descriptor: Descriptor,
    /// What it was made for.
    pub platforms: Vec<OciPlatform>,
}

/// Something a registry has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// Its kind.
    pub media_type: String,
    /// `sha256:…`
    pub digest: String,
    /// In bytes.
    pub size: i64,
}

/// A platform in the words of registries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OciPlatform {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `v8`.
    #[serde(skip_serializing_if = "is_zero")]
    pub variant: String,
}

/// Credentials for a registry, as the header `X-Registry-Auth` holds them in base64.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistryAuth {
    /// Who.
    #[serde(skip_serializing_if = "is_zero")]
    pub username: String,
    /// The password.
    #[serde(skip_serializing_if = "is_zero")]
    pub password: String,
    /// A token in place of name and password.
    #[serde(skip_serializing_if = "is_zero")]
    pub identitytoken: String,
    /// A token for the registry.
    #[serde(skip_serializing_if = "is_zero")]
    pub registrytoken: String,
    /// Name and password in base64.
    #[serde(skip_serializing_if = "is_zero")]
    pub auth: String,
    /// Of which registry.
    #[serde(skip_serializing_if = "is_zero")]
    pub serveraddress: String,
    /// A word of old registries.
    #[serde(skip_serializing_if = "is_zero")]
    pub email: String,
}

impl std::fmt::Debug for RegistryAuth {
    /// Leaves out the credentials: they must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistryAuth")
    }
}

/// Credentials by registry, as the header `X-Registry-Config` holds them.
pub type RegistryConfig = BTreeMap<String, RegistryAuth>;
