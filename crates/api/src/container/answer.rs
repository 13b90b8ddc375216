//! What is answered to orders.

use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};

/// `POST /containers/{id}/wait`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitResponse {
    /// How it ended.
    pub status_code: i64,
    /// What went wrong.
    #[serde(skip_serializing_if = "is_zero")]
    pub error: Option<WaitError>,
}

/// What went wrong while waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// In a sentence.
    pub message: String,
}

/// `POST /containers/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainersPruned {
    /// The ids of those that are gone.
    #[serde(serialize_with = "null_if_empty")]
    pub containers_deleted: Vec<String>,
    /// In bytes.
    pub space_reclaimed: u64,
}

/// `POST /containers/{id}/update`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerUpdated {
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}
