//! A container with all that is known of it.

use std::collections::BTreeMap;

use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};

use super::{ContainerConfig, NetworkSettings};
use crate::host_config::HostConfig;
use crate::json::{is_zero, null_if_empty};
use crate::time::Time;

/// One mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(skip_serializing_if = "is_zero")]
    pub r#type: String,
    /// The name of the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path in the container.
    pub destination: String,
    /// Who holds the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options in words.
    pub mode: String,
    /// Whether it can be written.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// What becomes of mounts beneath it.
    pub propagation: String,
}

/// `GET /containers/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How it is.
    pub state: ContainerState,
    /// The image.
    pub image: String,
    /// Its resolv.conf on the host.
    pub resolv_conf_path: String,
    /// Its hostname file on the host.
    pub hostname_path: String,
    /// Its hosts file on the host.
    pub hosts_path: String,
    /// Its log on the host.
    pub log_path: String,
    /// Its name, with a slash before it.
    pub name: String,
    /// How often it was started again.
    pub restart_count: i64,
    /// How layers are stacked.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// Its SELinux label.
    pub mount_label: String,
    /// Its SELinux label.
    pub process_label: String,
    /// Its AppArmor profile.
    pub app_armor_profile: String,
    /// Execs that run.
    #[serde(rename = "ExecIDs", serialize_with = "null_if_empty")]
    pub exec_ids: Vec<String>,
    /// How it is run here.
    pub host_config: HostConfig,
    /// Where its layers are.
    pub graph_driver: GraphDriver,
    /// Bytes written, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_rw: Option<i64>,
    /// Bytes in all, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_root_fs: Option<i64>,
    /// What it sees of the host.
    pub mounts: Vec<MountPoint>,
    /// What it is like.
    #[serde(serialize_with = "with_labels")]
    pub config: ContainerConfig,
    /// Its networks.
    pub network_settings: NetworkSettings,
}

/// A container has labels, if none then an empty object; only an image may have nothing in their place.
fn with_labels<S: Serializer>(config: &ContainerConfig, to: S) -> Result<S::Ok, S::Error> {
    let mut shown = serde_json::to_value(config).map_err(S::Error::custom)?;
    shown["Labels"] = serde_json::to_value(&config.labels).map_err(S::Error::custom)?;
    shown.serialize(to)
}

/// How a container is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// In one word.
    pub status: String,
    /// It runs, perhaps frozen.
    pub running: bool,
    /// It is frozen.
    pub paused: bool,
    /// It will be started again.
    pub restarting: bool,
    /// Memory ran out.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// It can only be removed.
    pub dead: bool,
    /// The process, 0 if there is none.
    pub pid: i64,
    /// How it ended.
    pub exit_code: i64,
    /// Why it could not start.
    pub error: String,
    /// When it started last.
    pub started_at: Time,
    /// When it ended last.
    pub finished_at: Time,
    /// How well it is.
    #[serde(skip_serializing_if = "is_zero")]
    pub health: Option<Health>,
}

/// How well a container is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The latest tests.
    pub log: Vec<HealthResult>,
}

/// One test of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthResult {
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// 0 is well, 1 is not.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// Where layers are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// Folders by their use.
    #[serde(serialize_with = "null_if_empty")]
    pub data: BTreeMap<String, String>,
    /// How they are stacked.
    pub name: String,
}
