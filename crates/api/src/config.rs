//! Configs.

use model::Labels;
use model::config as nouns;
use serde::{Deserialize, Serialize};

use crate::base64::Base64;
use crate::error::ApiError;
use crate::json::is_zero;
use crate::meta::{DriverConfig, ObjectVersion};
use crate::time::Time;
use crate::version::ApiVersion;

/// One config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// What it is.
    pub spec: ConfigSpec,
}

/// What a config is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigSpec {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub data: Base64,
    /// How the bytes are expanded.
    #[serde(skip_serializing_if = "is_zero")]
    pub templating: Option<DriverConfig>,
}

impl ConfigSpec {
    /// The model's config. Clients before 1.37 cannot have meant templates.
    pub fn into_model(self, version: ApiVersion) -> Result<nouns::ConfigSpec, ApiError> {
        let Self { name, labels, data: Base64(data), templating } = self;
        if templating.is_some() && version < ApiVersion::v(37) {
            let message =
                format!("config templating is not supported on the specified API version: {version}");
            return Err(ApiError::invalid(message));
        }
        let annotations = crate::meta::annotations(name, labels);
        Ok(nouns::ConfigSpec { annotations, data, templating: templating.map(Into::into) })
    }
}

impl From<&nouns::Config> for Config {
    fn from(nouns::Config { id, meta, spec }: &nouns::Config) -> Self {
        let nouns::ConfigSpec { annotations, data, templating } = spec;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: ConfigSpec {
                name: annotations.name.clone(),
                labels: annotations.labels.clone(),
                data: Base64(data.clone()),
                templating: templating.as_ref().map(DriverConfig::from),
            },
        }
    }
}
