//! How a container is run on its node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};
use crate::spec::container::Ulimit;
use crate::spec::mount::Mount;

/// Ports by `80/tcp`, and where on the host they are.
pub type PortMap = BTreeMap<String, Option<Vec<PortBinding>>>;

/// Where on the host a port is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortBinding {
    /// The address.
    pub host_ip: String,
    /// The port, or a range; empty means that one is chosen.
    pub host_port: String,
}

/// How a container is run on its node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// `source:target[:options]`
    #[serde(serialize_with = "null_if_empty")]
    pub binds: Vec<String>,
    /// Where to write its id: a word of the client.
    #[serde(rename = "ContainerIDFile")]
    pub container_id_file: String,
    /// Where its output goes.
    pub log_config: LogConfig,
    /// `default`, `bridge`, `host`, `none`, `container:x` or a network.
    pub network_mode: String,
    /// Ports on the host.
    pub port_bindings: PortMap,
    /// Whether it is started again when it ends.
    pub restart_policy: RestartPolicy,
    /// Removed when it ends.
    pub auto_remove: bool,
    /// Who holds its volumes.
    pub volume_driver: String,
    /// Containers whose volumes it shares.
    #[serde(serialize_with = "null_if_empty")]
    pub volumes_from: Vec<String>,
    /// Rows and columns of its terminal.
    pub console_size: [u32; 2],
    /// Words for whoever looks.
    #[serde(skip_serializing_if = "is_zero")]
    pub annotations: BTreeMap<String, String>,
    /// Capabilities beyond the usual.
    #[serde(serialize_with = "null_if_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities taken from the usual.
    #[serde(serialize_with = "null_if_empty")]
    pub cap_drop: Vec<String>,
    /// `private` or `host`.
    pub cgroupns_mode: String,
    /// Whom to ask for names.
    pub dns: Vec<String>,
    /// As in resolv.conf.
    pub dns_options: Vec<String>,
    /// What to append to names.
    pub dns_search: Vec<String>,
    /// `name:IP`
    #[serde(serialize_with = "null_if_empty")]
    pub extra_hosts: Vec<String>,
    /// More groups of the user.
    #[serde(serialize_with = "null_if_empty")]
    pub group_add: Vec<String>,
    /// `private`, `none`, `shareable`, `host` or `container:x`.
    pub ipc_mode: String,
    /// A word of the past.
    pub cgroup: String,
    /// A word of the past.
    #[serde(serialize_with = "null_if_empty")]
    pub links: Vec<String>,
    /// How readily the kernel kills it when memory is short.
    pub oom_score_adj: i64,
    /// `host` or `container:x`.
    pub pid_mode: String,
    /// With all rights.
    pub privileged: bool,
    /// All exposed ports get one on the host.
    pub publish_all_ports: bool,
    /// Its root file system cannot be written.
    pub readonly_rootfs: bool,
    /// Confinement in words.
    #[serde(serialize_with = "null_if_empty")]
    pub security_opt: Vec<String>,
    /// Options of its writable layer.
    #[serde(skip_serializing_if = "is_zero")]
    pub storage_opt: BTreeMap<String, String>,
    /// File systems in memory, with their options.
    #[serde(skip_serializing_if = "is_zero")]
    pub tmpfs: BTreeMap<String, String>,
    /// `host`.
    #[serde(rename = "UTSMode")]
    pub uts_mode: String,
    /// `host`.
    pub userns_mode: String,
    /// Bytes of shared memory.
    pub shm_size: i64,
    /// Kernel parameters of its namespaces.
    #[serde(skip_serializing_if = "is_zero")]
    pub sysctls: BTreeMap<String, String>,
    /// Which runtime runs it.
    #[serde(skip_serializing_if = "is_zero")]
    pub runtime: String,
    /// A word of Windows nodes.
    pub isolation: String,
    /// The weight of its processes.
    pub cpu_shares: i64,
    /// The most memory, in bytes.
    pub memory: i64,
    /// The most processor time, in billionths of a processor.
    pub nano_cpus: i64,
    /// The cgroup above its own.
    pub cgroup_parent: String,
    /// The weight of its block devices.
    pub blkio_weight: u16,
    /// Weights by device.
    pub blkio_weight_device: Vec<WeightDevice>,
    /// Bounds by device.
    pub blkio_device_read_bps: Vec<ThrottleDevice>,
    /// Bounds by device.
    pub blkio_device_write_bps: Vec<ThrottleDevice>,
    /// Bounds by device.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Vec<ThrottleDevice>,
    /// Bounds by device.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Vec<ThrottleDevice>,
    /// Microseconds.
    pub cpu_period: i64,
    /// Microseconds of each period.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_realtime_period: i64,
    /// Microseconds of each period.
    pub cpu_realtime_runtime: i64,
    /// Processors it may use: `0-2,4`.
    pub cpuset_cpus: String,
    /// Memory nodes it may use.
    pub cpuset_mems: String,
    /// Devices it gets.
    pub devices: Vec<DeviceMapping>,
    /// Rules of the device cgroup.
    #[serde(serialize_with = "null_if_empty")]
    pub device_cgroup_rules: Vec<String>,
    /// Devices by what they can do: accepted only to be refused with a sentence.
    #[serde(serialize_with = "null_if_empty")]
    pub device_requests: Vec<serde_json::Value>,
    /// Memory that is rather left to it, in bytes.
    pub memory_reservation: i64,
    /// Memory and swap, in bytes; −1 means no bound.
    pub memory_swap: i64,
    /// 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// Whether the kernel never kills it.
    pub oom_kill_disable: Option<bool>,
    /// The most processes; 0 and −1 mean no bound.
    pub pids_limit: Option<i64>,
    /// Bounds of its processes.
    pub ulimits: Vec<Ulimit>,
    /// A word of Windows nodes.
    pub cpu_count: i64,
    /// A word of Windows nodes.
    pub cpu_percent: i64,
    /// A word of Windows nodes.
    #[serde(rename = "IOMaximumIOps")]
    pub io_maximum_iops: u64,
    /// A word of Windows nodes.
    #[serde(rename = "IOMaximumBandwidth")]
    pub io_maximum_bandwidth: u64,
    /// What it sees of the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub mounts: Vec<Mount>,
    /// Paths of the kernel that are hidden.
    pub masked_paths: Option<Vec<String>>,
    /// Paths of the kernel that cannot be written.
    pub readonly_paths: Option<Vec<String>>,
    /// Whether a small init is its first process.
    #[serde(skip_serializing_if = "is_zero")]
    pub init: Option<bool>,
}

/// Where a container's output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// The driver; empty means the daemon's.
    pub r#type: String,
    /// Options for it.
    pub config: BTreeMap<String, String>,
}

/// Whether a container is started again when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty means `no`.
    pub name: String,
    /// For `on-failure`: how often; 0 means without end.
    pub maximum_retry_count: i64,
}

/// The weight of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WeightDevice {
    /// Its path.
    pub path: String,
    /// 10 to 1000.
    pub weight: u16,
}

/// The bound of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ThrottleDevice {
    /// Its path.
    pub path: String,
    /// Bytes or operations per second.
    pub rate: u64,
}

/// A device that a container gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceMapping {
    /// Its path on the host.
    pub path_on_host: String,
    /// Its path in the container.
    pub path_in_container: String,
    /// `r`, `w`, `m`.
    pub cgroup_permissions: String,
}
