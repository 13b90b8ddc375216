//! `--memory`, `--cpus` and the like: what a container may take of its host.

use anyhow::{Result, bail};
use api::host_config::HostConfig;
use clap::Args;

use super::values::{bytes, bytes_or_unbound, cpus};

/// What a container may take of its host, as `run` and `update` set it.
#[derive(Debug, Default, PartialEq, Args)]
#[group(skip)]
pub(crate) struct Limits {
    /// Weight of its block devices, 10 to 1000; 0 means the host's
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Length of a period in which processor time is shared, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<i64>,
    /// Processor time in each period, in microseconds
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// Length of a period of real-time scheduling, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_period: Option<i64>,
    /// Real time in each period, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_runtime: Option<i64>,
    /// Weight of its processor time
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<i64>,
    /// At most so many processors, such as 0.5
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    cpus: Option<i64>,
    /// Which processors, such as 0-2,4
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Which memory nodes, such as 0,1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// At most so much memory, such as 64m
    #[arg(short, long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<i64>,
    /// So much memory is left to it when memory is short
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_reservation: Option<i64>,
    /// At most so much memory and swap together; -1 means without bound
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_unbound, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// At most so many processes; -1 means without bound
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pids_limit: Option<i64>,
}

impl Limits {
    /// True if nothing is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes what is given into the config.
    pub(crate) fn apply(self, host: &mut HostConfig) -> Result<()> {
        if self.cpus.is_some() && (self.cpu_period.is_some() || self.cpu_quota.is_some()) {
            bail!("conflicting options: --cpus and --cpu-period or --cpu-quota cannot both be set");
        }
        let set = |to: &mut i64, value: Option<i64>| *to = value.unwrap_or(*to);
        host.blkio_weight = self.blkio_weight.unwrap_or(host.blkio_weight);
        set(&mut host.cpu_period, self.cpu_period);
        set(&mut host.cpu_quota, self.cpu_quota);
        set(&mut host.cpu_realtime_period, self.cpu_rt_period);
        set(&mut host.cpu_realtime_runtime, self.cpu_rt_runtime);
        set(&mut host.cpu_shares, self.cpu_shares);
        set(&mut host.nano_cpus, self.cpus);
        set(&mut host.memory, self.memory);
        set(&mut host.memory_reservation, self.memory_reservation);
        set(&mut host.memory_swap, self.memory_swap);
        host.cpuset_cpus = self.cpuset_cpus.unwrap_or_default();
        host.cpuset_mems = self.cpuset_mems.unwrap_or_default();
        host.pids_limit = self.pids_limit.or(host.pids_limit);
        Ok(())
    }
}
