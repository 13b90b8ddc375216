//! Secrets and configs that a container gets.

use model::spec::container as spec;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;

/// A secret that a container gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretReference {
    /// Where it shows.
    pub file: Option<FileTarget>,
    /// Which.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// Its name, which must fit the id.
    pub secret_name: String,
}

/// A config that a container gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigReference {
    /// Where it shows.
    #[serde(skip_serializing_if = "is_zero")]
    pub file: Option<FileTarget>,
    /// It is for the runtime.
    #[serde(skip_serializing_if = "is_zero")]
    pub runtime: Option<RuntimeTarget>,
    /// Which.
    #[serde(rename = "ConfigID")]
    pub config_id: String,
    /// Its name, which must fit the id.
    pub config_name: String,
}

/// A file in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FileTarget {
    /// Its path.
    pub name: String,
    /// Its owner, a number.
    #[serde(rename = "UID")]
    pub uid: String,
    /// Its group, a number.
    #[serde(rename = "GID")]
    pub gid: String,
    /// Its permissions.
    pub mode: u32,
}

/// Not in the container, but for the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeTarget {}

impl SecretReference {
    /// The model's reference.
    pub fn into_model(self) -> Result<spec::SecretReference, ApiError> {
        let Self { file, secret_id, secret_name } = self;
        let id = secret_id.parse();
        let id = id.map_err(|_| {
            ApiError::invalid(format!("ContainerSpec.Secrets: malformed SecretID \"{secret_id}\""))
        })?;
        Ok(spec::SecretReference { secret_id: id, secret_name, file: file.map(Into::into) })
    }
}

impl From<&spec::SecretReference> for SecretReference {
    fn from(spec::SecretReference { secret_id, secret_name, file }: &spec::SecretReference) -> Self {
        Self {
            file: file.as_ref().map(FileTarget::from),
            secret_id: secret_id.to_string(),
            secret_name: secret_name.clone(),
        }
    }
}

impl ConfigReference {
    /// The model's reference: exactly one target.
    pub fn into_model(self) -> Result<spec::ConfigReference, ApiError> {
        let Self { file, runtime, config_id, config_name } = self;
        let target = match (file, runtime) {
            (Some(file), None) => spec::ConfigTarget::File(file.into()),
            (None, Some(RuntimeTarget {})) => spec::ConfigTarget::Runtime,
            (Some(_), Some(_)) => return Err(ApiError::invalid("cannot specify both File and Runtime")),
            (None, None) => return Err(ApiError::invalid("either File or Runtime should be set")),
        };
        let id = config_id.parse();
        let id = id.map_err(|_| {
            ApiError::invalid(format!("ContainerSpec.Configs: malformed ConfigID \"{config_id}\""))
        })?;
        Ok(spec::ConfigReference { config_id: id, config_name, target: Some(target) })
    }
}

impl From<&spec::ConfigReference> for ConfigReference {
    fn from(spec::ConfigReference { config_id, config_name, target }: &spec::ConfigReference) -> Self {
        let (file, runtime) = match target {
            Some(spec::ConfigTarget::File(file)) => (Some(FileTarget::from(file)), None),
            Some(spec::ConfigTarget::Runtime) => (None, Some(RuntimeTarget {})),
            None => (None, None),
        };
        Self { file, runtime, config_id: config_id.to_string(), config_name: config_name.clone() }
    }
}

impl From<FileTarget> for spec::FileTarget {
    fn from(FileTarget { name, uid, gid, mode }: FileTarget) -> Self {
        Self { name, uid, gid, mode }
    }
}

impl From<&spec::FileTarget> for FileTarget {
    fn from(file: &spec::FileTarget) -> Self {
        let spec::FileTarget { name, uid, gid, mode } = file.clone();
        Self { name, uid, gid, mode }
    }
}
