//! Secrets.

use model::Labels;
use model::secret as nouns;
use serde::{Deserialize, Serialize};

use crate::base64::Base64;
use crate::error::ApiError;
use crate::json::is_zero;
use crate::meta::{DriverConfig, ObjectVersion};
use crate::time::Time;
use crate::version::ApiVersion;

/// One secret, without its bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Secret {
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
    pub spec: SecretSpec,
}

/// What a secret is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretSpec {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The bytes; never in an answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub data: Base64,
    /// Who holds the bytes, if not the swarm.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: Option<DriverConfig>,
    /// How the bytes are expanded.
    #[serde(skip_serializing_if = "is_zero")]
    pub templating: Option<DriverConfig>,
}

impl SecretSpec {
    /// The model's secret. Clients before 1.37 cannot have meant templates.
    pub fn into_model(self, version: ApiVersion) -> Result<nouns::SecretSpec, ApiError> {
        let Self { name, labels, data: Base64(data), driver, templating } = self;
        if templating.is_some() && version < ApiVersion::v(37) {
            let message =
                format!("secret templating is not supported on the specified API version: {version}");
            return Err(ApiError::invalid(message));
        }
        Ok(nouns::SecretSpec {
            annotations: crate::meta::annotations(name, labels),
            data,
            templating: templating.map(Into::into),
            driver: driver.map(Into::into),
        })
    }
}

impl From<&nouns::Secret> for Secret {
    fn from(nouns::Secret { id, meta, spec, internal: _ }: &nouns::Secret) -> Self {
        let nouns::SecretSpec { annotations, data: _, templating, driver } = spec;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: SecretSpec {
                name: annotations.name.clone(),
                labels: annotations.labels.clone(),
                data: Base64::default(), // never leaves the swarm
                driver: driver.as_ref().map(DriverConfig::from),
                templating: templating.as_ref().map(DriverConfig::from),
            },
        }
    }
}
