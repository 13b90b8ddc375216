//! Images as archives: `load` and `save` (the format of `docker save`, and the OCI layout), and `import` of a bare root
//! file system.
//!
//! An archive is read once, from a stream, in whatever order its parts come; nothing of it stays if it is refused.

mod changes;
mod import;
mod load;
mod save;

pub use import::ImportOptions;
pub use load::Loaded;
pub(crate) use save::ToSave;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;

/// One image in `manifest.json` of the format of `docker save`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// `index.json` of the OCI layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutIndex {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Vec<LayoutImage>,
}

/// One image in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutImage {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

const MANIFEST_FILE: &str = "manifest.json";
const INDEX_FILE: &str = "index.json";
const FULL_NAME: &str = "io.containerd.image.name";
const SHORT_NAME: &str = "org.opencontainers.image.ref.name";
