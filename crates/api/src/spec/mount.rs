//! What a container sees of the host.

use model::Labels;
use model::spec::mount as spec;
use model::spec::mount::{Consistency, MountKind, Propagation};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;
use crate::meta::DriverConfig;

/// One mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, `npipe` or `cluster`.
    #[serde(skip_serializing_if = "is_zero")]
    pub r#type: String,
    /// A path of the host, or the name of a volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub source: String,
    /// A path in the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// Whether it cannot be written.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only: bool,
    /// `default`, `consistent`, `cached` or `delegated`.
    #[serde(skip_serializing_if = "is_zero")]
    pub consistency: String,
    /// For binds.
    #[serde(skip_serializing_if = "is_zero")]
    pub bind_options: Option<BindOptions>,
    /// For volumes.
    #[serde(skip_serializing_if = "is_zero")]
    pub volume_options: Option<VolumeOptions>,
    /// For file systems in memory.
    #[serde(skip_serializing_if = "is_zero")]
    pub tmpfs_options: Option<TmpfsOptions>,
}

/// How a path of the host is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BindOptions {
    /// `rprivate`, `private`, `rshared`, `shared`, `rslave` or `slave`.
    #[serde(skip_serializing_if = "is_zero")]
    pub propagation: String,
    /// Without what is mounted beneath it.
    #[serde(skip_serializing_if = "is_zero")]
    pub non_recursive: bool,
    /// Makes the path if it is not there.
    #[serde(skip_serializing_if = "is_zero")]
    pub create_mountpoint: bool,
    /// Only the top is read-only.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only_non_recursive: bool,
    /// Refuses if what is beneath cannot be read-only.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only_force_recursive: bool,
}

/// How a volume is shown, and made if it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeOptions {
    /// Does not fill a new volume with what the image has there.
    #[serde(skip_serializing_if = "is_zero")]
    pub no_copy: bool,
    /// Labels of a new volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: Labels,
    /// A folder within the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub subpath: String,
    /// The driver of a new volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_config: Option<DriverConfig>,
}

/// A file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TmpfsOptions {
    /// The most it may hold.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_bytes: i64,
    /// Permissions of its root.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: u32,
    /// More options: words, or words with a value.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: Vec<Vec<String>>,
}

impl Mount {
    /// The model's mount.
    pub fn into_model(self) -> Result<spec::Mount, ApiError> {
        let Self {
            r#type,
            source,
            target,
            read_only,
            consistency,
            bind_options,
            volume_options,
            tmpfs_options,
        } = self;
        Ok(spec::Mount {
            kind: kind_from(&r#type)?,
            source,
            target,
            read_only,
            consistency: consistency_from(&consistency)?,
            bind: bind_options.map(BindOptions::into_model).transpose()?,
            volume: volume_options.map(VolumeOptions::into_model),
            tmpfs: tmpfs_options.map(TmpfsOptions::into_model).transpose()?,
        })
    }
}

impl From<&spec::Mount> for Mount {
    fn from(mount: &spec::Mount) -> Self {
        let spec::Mount { kind, source, target, read_only, consistency, bind, volume, tmpfs } = mount;
        Self {
            r#type: kind_word(*kind).to_owned(),
            source: source.clone(),
            target: target.clone(),
            read_only: *read_only,
            consistency: consistency_word(*consistency).to_owned(),
            bind_options: bind.as_ref().map(BindOptions::from),
            volume_options: volume.as_ref().map(VolumeOptions::from),
            tmpfs_options: tmpfs.as_ref().map(TmpfsOptions::from),
        }
    }
}

impl BindOptions {
    fn into_model(self) -> Result<spec::BindOptions, ApiError> {
        let Self {
            propagation,
            non_recursive,
            create_mountpoint,
            read_only_non_recursive,
            read_only_force_recursive,
        } = self;
        Ok(spec::BindOptions {
            propagation: propagation_from(&propagation)?,
            non_recursive,
            create_mountpoint,
            read_only_non_recursive,
            read_only_force_recursive,
        })
    }
}

impl From<&spec::BindOptions> for BindOptions {
    fn from(bind: &spec::BindOptions) -> Self {
        let spec::BindOptions {
            propagation,
            non_recursive,
            create_mountpoint,
            read_only_non_recursive,
            read_only_force_recursive,
        } = bind;
        Self {
            propagation: propagation_word(*propagation).to_owned(),
            non_recursive: *non_recursive,
            create_mountpoint: *create_mountpoint,
            read_only_non_recursive: *read_only_non_recursive,
            read_only_force_recursive: *read_only_force_recursive,
        }
    }
}

impl VolumeOptions {
    fn into_model(self) -> spec::VolumeOptions {
        let Self { no_copy, labels, subpath, driver_config } = self;
        spec::VolumeOptions { no_copy, labels, driver: driver_config.map(Into::into), subpath }
    }
}

impl From<&spec::VolumeOptions> for VolumeOptions {
    fn from(volume: &spec::VolumeOptions) -> Self {
        let spec::VolumeOptions { no_copy, labels, driver, subpath } = volume;
        Self {
            no_copy: *no_copy,
            labels: labels.clone(),
            subpath: subpath.clone(),
            driver_config: driver.as_ref().map(DriverConfig::from),
        }
    }
}

impl TmpfsOptions {
    fn into_model(self) -> Result<spec::TmpfsOptions, ApiError> {
        let Self { size_bytes, mode, options } = self;
        if size_bytes < 0 {
            return Err(ApiError::invalid("Mounts: TmpfsOptions.SizeBytes cannot be negative"));
        }
        // Managers keep the options as JSON text; none at all are the four letters `null`.
        let options = if options.is_empty() { "null".to_owned() } else { json_text(&options) };
        Ok(spec::TmpfsOptions { size_bytes, mode, options })
    }
}

fn json_text(options: &[Vec<String>]) -> String {
    serde_json::to_string(options).expect("lists of texts are JSON")
}

impl From<&spec::TmpfsOptions> for TmpfsOptions {
    fn from(spec::TmpfsOptions { size_bytes, mode, options }: &spec::TmpfsOptions) -> Self {
        let options = serde_json::from_str::<Option<Vec<Vec<String>>>>(options);
        Self { size_bytes: *size_bytes, mode: *mode, options: options.ok().flatten().unwrap_or_default() }
    }
}

fn kind_from(word: &str) -> Result<MountKind, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "" | "bind" => Ok(MountKind::Bind),
        "volume" => Ok(MountKind::Volume),
        "tmpfs" => Ok(MountKind::Tmpfs),
        "npipe" => Ok(MountKind::NamedPipe),
        "cluster" => Ok(MountKind::Cluster),
        _ => Err(ApiError::invalid(format!("invalid MountType: \"{word}\""))),
    }
}

fn kind_word(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Bind => "bind",
        MountKind::Volume => "volume",
        MountKind::Tmpfs => "tmpfs",
        MountKind::NamedPipe => "npipe",
        MountKind::Cluster => "cluster",
    }
}

fn consistency_from(word: &str) -> Result<Consistency, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "" | "default" => Ok(Consistency::Default),
        "consistent" => Ok(Consistency::Consistent),
        "cached" => Ok(Consistency::Cached),
        "delegated" => Ok(Consistency::Delegated),
        _ => Err(ApiError::invalid(format!("invalid mount Consistency: \"{word}\""))),
    }
}

fn consistency_word(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Default => "",
        Consistency::Consistent => "consistent",
        Consistency::Cached => "cached",
        Consistency::Delegated => "delegated",
    }
}

fn propagation_from(word: &str) -> Result<Propagation, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "" | "rprivate" => Ok(Propagation::RPrivate),
        "private" => Ok(Propagation::Private),
        "rshared" => Ok(Propagation::RShared),
        "shared" => Ok(Propagation::Shared),
        "rslave" => Ok(Propagation::RSlave),
        "slave" => Ok(Propagation::Slave),
        _ => Err(ApiError::invalid(format!("invalid MountPropagation: \"{word}\""))),
    }
}

fn propagation_word(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::RPrivate => "rprivate",
        Propagation::Private => "private",
        Propagation::RShared => "rshared",
        Propagation::Shared => "shared",
        Propagation::RSlave => "rslave",
        Propagation::Slave => "slave",
    }
}
