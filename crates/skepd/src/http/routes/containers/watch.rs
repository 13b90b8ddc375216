//! What containers write, use and run: logs, stats, processes.

use api::stats;
use axum::extract::{Path, State};
use futures_util::stream::{self, unfold};
use model::Duration;
use runtime::container::{ContainerId, Containers};
use runtime::stats::{BlockStats, CpuStats, MemoryStats, NetworkStats, Stats};

use super::attach;
use crate::connect::{Mode, Wiring};
use crate::http::error::Answer;
use crate::http::logs::{self, Wish};
use crate::http::request::{Query, Spoken};
use crate::http::routes::Shared;
use crate::http::{respond, stream as streams};

/// Between two readings.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn logs(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    query: Query,
) -> Answer {
    let container = daemon.containers.resolve(&id)?;
    let wish = Wish::of(&query)?;
    let framing = attach::framing(daemon.containers.inspect(container)?.description.terminal);
    logs::answer(&daemon.containers, container, wish, (framing, version))
}

pub(super) async fn top(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let top = daemon.containers.top(daemon.containers.resolve(&id)?)?;
    Ok(respond::json(&stats::Top {
        titles: top.titles.map(str::to_owned).into(),
        processes: top.processes.into_iter().map(Vec::from).collect(),
    }))
}

pub(super) async fn stats(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let record = daemon.containers.inspect(id)?;
    let mode = Wiring::of(&record.description).mode;
    let mut readings =
        Readings { containers: daemon.containers.clone(), id, name: String::new(), mode, before: None };
    readings.name = format!("/{}", record.name);
    if !query.truth_or("stream", true) {
        if !query.truth("one-shot") {
            readings.before = Some(daemon.containers.stats(id)?);
            tokio::time::sleep(INTERVAL).await;
        }
        return Ok(respond::json(&readings.read()?));
    }
    // The first reading comes at once, and the stream ends with the container.
    let first = readings.read()?;
    let later = unfold(readings, |mut readings| async move {
        tokio::time::sleep(INTERVAL).await;
        let reading = readings.read().ok()?;
        Some((reading, readings))
    });
    let all = futures_util::StreamExt::chain(stream::iter([first]), later);
    Ok(streams::lines(all))
}

/// Readings of one container, each beside the one before.
struct Readings {
    containers: Containers,
    id: ContainerId,
    name: String,
    mode: Mode,
    before: Option<Stats>,
}

impl Readings {
    fn read(&mut self) -> Result<stats::Stats, crate::http::Failure> {
        let mut now = self.containers.stats(self.id)?;
        if self.mode == Mode::Host {
            // These are the host's, and say nothing of the container.
            now.networks.clear();
        }
        let shown = shown(&now, self.before.as_ref(), self);
        self.before = Some(now);
        Ok(shown)
    }
}

fn shown(now: &Stats, before: Option<&Stats>, readings: &Readings) -> stats::Stats {
    let Stats { at, cpu: processors, memory: bytes, pids, pids_limit, block: devices, networks: interfaces } =
        now;
    stats::Stats {
        read: (*at).into(),
        preread: before.map(|before| before.at).into(),
        pids_stats: stats::PidsStats { current: *pids, limit: *pids_limit },
        blkio_stats: block(devices),
        cpu_stats: cpu(processors),
        precpu_stats: before.map(|before| cpu(&before.cpu)).unwrap_or_default(),
        memory_stats: memory(bytes),
        name: readings.name.clone(),
        id: readings.id.to_string(),
        networks: interfaces.iter().map(network).collect(),
        ..stats::Stats::default()
    }
}

fn cpu(stats: &CpuStats) -> stats::CpuStats {
    let CpuStats { total, per_cpu, kernel, user, system, online, periods, throttled_periods, throttled } =
        stats.clone();
    stats::CpuStats {
        cpu_usage: stats::CpuUsage {
            total_usage: total,
            percpu_usage: per_cpu,
            usage_in_kernelmode: kernel,
            usage_in_usermode: user,
        },
        system_cpu_usage: system,
        online_cpus: online,
        throttling_data: stats::ThrottlingData { periods, throttled_periods, throttled_time: throttled },
    }
}

fn memory(stats: &MemoryStats) -> stats::MemoryStats {
    let MemoryStats { usage, max_usage, limit, fail_count, details } = stats.clone();
    stats::MemoryStats { usage, max_usage, stats: details.into_iter().collect(), failcnt: fail_count, limit }
}

fn block(devices: &[BlockStats]) -> stats::BlkioStats {
    let entries = |device: &BlockStats| {
        let BlockStats { device: (major, minor), read, written } = *device;
        [("read", read), ("write", written)].map(|(op, value)| stats::BlkioEntry {
            major,
            minor,
            op: op.to_owned(),
            value,
        })
    };
    stats::BlkioStats {
        io_service_bytes_recursive: devices.iter().flat_map(entries).collect(),
        ..stats::BlkioStats::default()
    }
}

fn network(interface: &NetworkStats) -> (String, stats::NetworkStats) {
    let NetworkStats { name, received, sent } = interface.clone();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped] = received;
    let [tx_bytes, tx_packets, tx_errors, tx_dropped] = sent;
    let stats = stats::NetworkStats {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    };
    (name, stats)
}
