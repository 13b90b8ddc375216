//! The daemon itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::container::ContainerSummary;
use crate::image::ImageSummary;
use crate::json::{is_zero, null_if_empty};
use crate::spec::resources::GenericResource;
use crate::swarm::SwarmInfo;
use crate::volume::Volume;

/// `GET /info`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// Of this daemon.
    #[serde(rename = "ID")]
    pub id: String,
    /// So many there are.
    pub containers: u64,
    /// Of these, so many run.
    pub containers_running: u64,
    /// Of these, so many are frozen.
    pub containers_paused: u64,
    /// Of these, so many have ended.
    pub containers_stopped: u64,
    /// So many there are.
    pub images: u64,
    /// How layers are stacked.
    pub driver: String,
    /// What the driver says of itself.
    pub driver_status: Vec<[String; 2]>,
    /// Drivers by kind.
    pub plugins: PluginsInfo,
    /// The kernel can bound memory.
    pub memory_limit: bool,
    /// The kernel can bound swap.
    pub swap_limit: bool,
    /// The kernel can share processors by periods.
    pub cpu_cfs_period: bool,
    /// The kernel can share processors by quotas.
    pub cpu_cfs_quota: bool,
    /// The kernel can weigh processors.
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    /// The kernel can bind to processors.
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    /// The kernel can bound processes.
    pub pids_limit: bool,
    /// The kernel forwards packets.
    #[serde(rename = "IPv4Forwarding")]
    pub ipv4_forwarding: bool,
    /// Bridges pass through the packet filter.
    pub bridge_nf_iptables: bool,
    /// Bridges pass through the packet filter.
    pub bridge_nf_ip6tables: bool,
    /// The daemon says more than usual.
    pub debug: bool,
    /// Open files of the daemon.
    pub n_fd: u64,
    /// The kernel can be told to kill nobody.
    pub oom_kill_disable: bool,
    /// Threads of the daemon.
    pub n_goroutines: u64,
    /// The daemon's time, RFC 3339.
    pub system_time: String,
    /// Where output goes if nothing is said.
    pub logging_driver: String,
    /// Who makes cgroups.
    pub cgroup_driver: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Listeners for events.
    pub n_events_listener: u64,
    /// The kernel's version.
    pub kernel_version: String,
    /// The system's name.
    pub operating_system: String,
    /// The system's version.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// The registry of names that name none.
    pub index_server_address: String,
    /// How registries are reached.
    pub registry_config: RegistryServices,
    /// Processors.
    #[serde(rename = "NCPU")]
    pub n_cpu: u64,
    /// Memory in bytes.
    pub mem_total: i64,
    /// Things that only the operator knows.
    #[serde(serialize_with = "null_if_empty")]
    pub generic_resources: Vec<GenericResource>,
    /// Where everything is kept.
    pub docker_root_dir: String,
    /// How to reach the web.
    pub http_proxy: String,
    /// How to reach the web.
    pub https_proxy: String,
    /// What to reach without a proxy.
    pub no_proxy: String,
    /// The host's name.
    pub name: String,
    /// The labels its operator gave the daemon.
    pub labels: Vec<String>,
    /// Always false.
    pub experimental_build: bool,
    /// The daemon's version.
    pub server_version: String,
    /// Runtimes by name.
    pub runtimes: BTreeMap<String, Runtime>,
    /// The one that is used if nothing is said.
    pub default_runtime: String,
    /// The swarm.
    pub swarm: SwarmInfo,
    /// Containers survive the daemon.
    pub live_restore_enabled: bool,
    /// A word of Windows nodes.
    pub isolation: String,
    /// The small init.
    pub init_binary: String,
    /// Builds.
    pub containerd_commit: Commit,
    /// Builds.
    pub runc_commit: Commit,
    /// Builds.
    pub init_commit: Commit,
    /// Confinement in use.
    pub security_options: Vec<String>,
    /// From where subnets of this node are taken.
    #[serde(skip_serializing_if = "is_zero")]
    pub default_address_pools: Vec<AddressPool>,
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}

/// From where subnets of a node are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddressPool {
    /// In CIDR form.
    pub base: String,
    /// How long the masks of the subnets are.
    pub size: u32,
}

/// Drivers by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PluginsInfo {
    /// Of volumes.
    pub volume: Vec<String>,
    /// Of networks.
    pub network: Vec<String>,
    /// Of permissions.
    #[serde(serialize_with = "null_if_empty")]
    pub authorization: Vec<String>,
    /// Of logs.
    pub log: Vec<String>,
}

/// How registries are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegistryServices {
    /// Networks in which registries need no TLS.
    #[serde(rename = "InsecureRegistryCIDRs")]
    pub insecure_registry_cidrs: Vec<String>,
    /// By name.
    pub index_configs: BTreeMap<String, IndexInfo>,
    /// Other places for the default registry.
    pub mirrors: Vec<String>,
}

/// How one registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IndexInfo {
    /// Its name.
    pub name: String,
    /// Other places.
    pub mirrors: Vec<String>,
    /// With TLS.
    pub secure: bool,
    /// The default registry.
    pub official: bool,
}

/// A runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Its program.
    #[serde(skip_serializing_if = "is_zero")]
    pub path: String,
    /// More of its arguments.
    #[serde(rename = "runtimeArgs", skip_serializing_if = "is_zero")]
    pub runtime_args: Vec<String>,
}

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Commit {
    /// Which it is.
    #[serde(rename = "ID")]
    pub id: String,
    /// Which it should be.
    pub expected: String,
}

/// `GET /version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    /// The product.
    pub platform: VersionPlatform,
    /// Its parts.
    #[serde(skip_serializing_if = "is_zero")]
    pub components: Vec<Component>,
    /// The daemon's version.
    pub version: String,
    /// The newest version of the API.
    pub api_version: String,
    /// The oldest version of the API.
    #[serde(rename = "MinAPIVersion", skip_serializing_if = "is_zero")]
    pub min_api_version: String,
    /// The build.
    pub git_commit: String,
    /// The language; a name from the past.
    pub go_version: String,
    /// `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub arch: String,
    /// The kernel's version.
    #[serde(skip_serializing_if = "is_zero")]
    pub kernel_version: String,
    /// Always absent.
    #[serde(skip_serializing_if = "is_zero")]
    pub experimental: bool,
    /// When it was built.
    #[serde(skip_serializing_if = "is_zero")]
    pub build_time: String,
}

/// The product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionPlatform {
    /// Its name.
    pub name: String,
}

/// A part of the product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What else is to be said.
    #[serde(skip_serializing_if = "is_zero")]
    pub details: BTreeMap<String, String>,
}

/// `GET /system/df`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiskUsage {
    /// Bytes of all layers.
    pub layers_size: i64,
    /// The images.
    pub images: Vec<ImageSummary>,
    /// The containers.
    pub containers: Vec<ContainerSummary>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// Always empty: nothing is built here.
    #[serde(serialize_with = "null_if_empty")]
    pub build_cache: Vec<String>,
    /// Always 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub builder_size: i64,
}

/// The answer to `POST /auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AuthStatus {
    /// In words.
    pub status: String,
    /// A token in place of name and password.
    #[serde(skip_serializing_if = "is_zero")]
    pub identity_token: String,
}
