//! What a container uses, and which processes it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json::is_zero;
use crate::time::Time;

/// One reading of a container's counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// When it was read.
    pub read: Time,
    /// When the reading before it was.
    pub preread: Time,
    /// Processes.
    pub pids_stats: PidsStats,
    /// Block devices.
    pub blkio_stats: BlkioStats,
    /// A word of Windows nodes.
    pub num_procs: u32,
    /// A word of Windows nodes.
    pub storage_stats: BTreeMap<String, u64>,
    /// Processors.
    pub cpu_stats: CpuStats,
    /// Processors at the reading before.
    pub precpu_stats: CpuStats,
    /// Memory.
    pub memory_stats: MemoryStats,
    /// The container's name, with a slash before it.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its interfaces.
    #[serde(skip_serializing_if = "is_zero")]
    pub networks: BTreeMap<String, NetworkStats>,
}

/// Processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PidsStats {
    /// So many there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    /// So many there may be.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    /// Bytes moved.
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations.
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Waiting.
    pub io_queue_recursive: Vec<BlkioEntry>,
    /// Time served.
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Time waited.
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Merged.
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Time.
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors.
    pub sectors_recursive: Vec<BlkioEntry>,
}

/// A counter of a block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    /// The device.
    pub major: u64,
    /// The device.
    pub minor: u64,
    /// `read`, `write` …
    pub op: String,
    /// The count.
    pub value: u64,
}

/// Processors. Times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// Time used.
    pub cpu_usage: CpuUsage,
    /// Time used by everything on the node.
    #[serde(skip_serializing_if = "is_zero")]
    pub system_cpu_usage: u64,
    /// Processors there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub online_cpus: u32,
    /// How often it was held back.
    pub throttling_data: ThrottlingData,
}

/// Time used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// In all.
    pub total_usage: u64,
    /// On each processor.
    #[serde(skip_serializing_if = "is_zero")]
    pub percpu_usage: Vec<u64>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// Outside of it.
    pub usage_in_usermode: u64,
}

/// How often a container was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThrottlingData {
    /// Periods.
    pub periods: u64,
    /// Of these, held back.
    pub throttled_periods: u64,
    /// For so long.
    pub throttled_time: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// In use.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// The most that ever was.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_usage: u64,
    /// The kernel's own counters.
    #[serde(skip_serializing_if = "is_zero")]
    pub stats: BTreeMap<String, u64>,
    /// How often there was not enough.
    #[serde(skip_serializing_if = "is_zero")]
    pub failcnt: u64,
    /// The bound.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// One interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkStats {
    /// Bytes in.
    pub rx_bytes: u64,
    /// Packets in.
    pub rx_packets: u64,
    /// Broken ones.
    pub rx_errors: u64,
    /// Dropped ones.
    pub rx_dropped: u64,
    /// Bytes out.
    pub tx_bytes: u64,
    /// Packets out.
    pub tx_packets: u64,
    /// Broken ones.
    pub tx_errors: u64,
    /// Dropped ones.
    pub tx_dropped: u64,
}

/// `GET /containers/{id}/top`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Top {
    /// One row for each process.
    pub processes: Vec<Vec<String>>,
    /// The names of the columns.
    pub titles: Vec<String>,
}
