//! What every object carries besides its own content.

use std::collections::BTreeMap;

use model::{Annotations, Driver, Labels};
use serde::{Deserialize, Serialize};

use crate::json::is_zero;

/// The version of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ObjectVersion {
    /// The index in the log.
    #[serde(skip_serializing_if = "is_zero")]
    pub index: u64,
}

/// A driver that may be left unnamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DriverConfig {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Options, known to the driver only.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, String>,
}

/// The answer to what makes an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Created {
    /// The new object's id.
    #[serde(rename = "ID")]
    pub id: String,
}

impl From<model::Version> for ObjectVersion {
    fn from(model::Version { index }: model::Version) -> Self {
        Self { index }
    }
}

impl From<ObjectVersion> for model::Version {
    fn from(ObjectVersion { index }: ObjectVersion) -> Self {
        Self { index }
    }
}

impl From<&Driver> for DriverConfig {
    fn from(Driver { name, options }: &Driver) -> Self {
        Self { name: name.clone(), options: options.clone() }
    }
}

impl From<DriverConfig> for Driver {
    fn from(DriverConfig { name, options }: DriverConfig) -> Self {
        Self { name, options }
    }
}

/// Annotations from a name and labels; users have no indices.
pub(crate) fn annotations(name: String, labels: Labels) -> Annotations {
    Annotations { name, labels, indices: Vec::new() }
}
