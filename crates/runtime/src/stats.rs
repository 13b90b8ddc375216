//! What a container uses: figures of its control group and its network.
//!
//! In: a container that runs. Out: plain numbers, as the kernel counts them now; who wants rates takes two.

use std::fs;
use std::path::Path;

use model::Timestamp;

use crate::cgroup::{self, number, pairs};
use crate::container::ground::Ground;
use crate::container::spec::Cgroups;
use crate::container::{Action, ContainerError, ContainerId, Containers};

/// What a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// When this was read.
    pub at: Timestamp,
    /// CPU.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Processes and threads now.
    pub pids: u64,
    /// The most it may have; 0 means no bound.
    pub pids_limit: u64,
    /// Reads and writes of block devices.
    pub block: Vec<BlockStats>,
    /// Its network interfaces, without the loopback.
    pub networks: Vec<NetworkStats>,
}

/// CPU that was used, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuStats {
    /// By its processes.
    pub total: u64,
    /// By its processes on each CPU, if that is counted.
    pub per_cpu: Vec<u64>,
    /// By the kernel for them.
    pub kernel: u64,
    /// By themselves.
    pub user: u64,
    /// By the whole machine, idle time too.
    pub system: u64,
    /// How many CPUs there are.
    pub online: u32,
    /// How many periods there were with a quota.
    pub periods: u64,
    /// In how many of them it was held back.
    pub throttled_periods: u64,
    /// For how long.
    pub throttled: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Now.
    pub usage: u64,
    /// The most there ever was; 0 if it is not counted.
    pub max_usage: u64,
    /// The most it may use.
    pub limit: u64,
    /// How often it wanted more than it may have.
    pub fail_count: u64,
    /// As the kernel counts, by name.
    pub details: Vec<(String, u64)>,
}

/// Reads and writes of one block device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockStats {
    /// Its numbers.
    pub device: (u64, u64),
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Its name in the container.
    pub name: String,
    /// Received bytes, packets, errors, drops.
    pub received: [u64; 4],
    /// Sent bytes, packets, errors, drops.
    pub sent: [u64; 4],
}

impl Containers {
    /// What a container uses now; zeros if it does not run.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn stats(&self, id: ContainerId) -> Result<Stats, ContainerError> {
        let record = self.inspect(id)?;
        let Some(running) = record.running() else {
            return Ok(Stats { at: host::clock::now(), ..Stats::default() });
        };
        let mut stats = read(&self.ground, id);
        let network = fs::read_to_string(format!("/proc/{}/net/dev", running.pid)).unwrap_or_default();
        stats.networks = networks(&network);
        Ok(stats)
    }

    /// The titles and processes of a container, as `ps -ef` shows them.
    ///
    /// # Errors
    /// If it does not run.
    pub fn top(&self, id: ContainerId) -> Result<Top, ContainerError> {
        let record = self.inspect(id)?;
        if record.running().is_none() {
            return Err(ContainerError::Conflict(format!("container {id} is not running")));
        }
        let processes = cgroup::processes(&self.ground, id);
        self.ground.publish(&record, Action::Top);
        Ok(Top { titles: TITLES, processes: processes.into_iter().filter_map(process).collect() })
    }
}

/// The processes of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// What the columns are.
    pub titles: [&'static str; 8],
    /// One row for each process.
    pub processes: Vec<[String; 8]>,
}

fn read(ground: &Ground, id: ContainerId) -> Stats {
    let folder = |controller: &str| ground.cgroup_folder(id, controller);
    let mut stats = match ground.cgroups {
        Cgroups::V2 => read_v2(&folder("")),
        Cgroups::V1 | Cgroups::Hybrid => read_v1(&folder),
    };
    stats.at = host::clock::now();
    stats.cpu.system = system_cpu(&fs::read_to_string("/proc/stat").unwrap_or_default());
    stats.cpu.online = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let machine = machine_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    if stats.memory.limit == 0 || stats.memory.limit > machine {
        stats.memory.limit = machine;
    }
    stats
}

fn read_v1(folder: &dyn Fn(&str) -> std::path::PathBuf) -> Stats {
    let (cpuacct, cpu, memory, pids) = (folder("cpuacct"), folder("cpu"), folder("memory"), folder("pids"));
    let throttling = pairs(&cpu, "cpu.stat");
    let used = pairs(&cpuacct, "cpuacct.stat");
    Stats {
        cpu: CpuStats {
            total: number(&cpuacct, "cpuacct.usage"),
            per_cpu: each(&text(&cpuacct, "cpuacct.usage_percpu")),
            kernel: value(&used, "system") * TICK_NANOS,
            user: value(&used, "user") * TICK_NANOS,
            periods: value(&throttling, "nr_periods"),
            throttled_periods: value(&throttling, "nr_throttled"),
            throttled: value(&throttling, "throttled_time"),
            ..CpuStats::default()
        },
        memory: MemoryStats {
            usage: number(&memory, "memory.usage_in_bytes"),
            max_usage: number(&memory, "memory.max_usage_in_bytes"),
            limit: number(&memory, "memory.limit_in_bytes"),
            fail_count: number(&memory, "memory.failcnt"),
            details: pairs(&memory, "memory.stat"),
        },
        pids: number(&pids, "pids.current"),
        pids_limit: number(&pids, "pids.max"),
        block: block_v1(&text(&folder("blkio"), "blkio.throttle.io_service_bytes")),
        ..Stats::default()
    }
}

/// Numbers with blanks between them.
fn each(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn read_v2(folder: &Path) -> Stats {
    let cpu = pairs(folder, "cpu.stat");
    let micros = |name: &str| value(&cpu, name) * 1000;
    Stats {
        cpu: CpuStats {
            total: micros("usage_usec"),
            kernel: micros("system_usec"),
            user: micros("user_usec"),
            periods: value(&cpu, "nr_periods"),
            throttled_periods: value(&cpu, "nr_throttled"),
            throttled: micros("throttled_usec"),
            ..CpuStats::default()
        },
        memory: MemoryStats {
            usage: number(folder, "memory.current"),
            max_usage: number(folder, "memory.peak"),
            limit: number(folder, "memory.max"),
            fail_count: value(&pairs(folder, "memory.events"), "max"),
            details: pairs(folder, "memory.stat"),
        },
        pids: number(folder, "pids.current"),
        pids_limit: number(folder, "pids.max"),
        block: block_v2(&text(folder, "io.stat")),
        ..Stats::default()
    }
}

fn text(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default()
}

fn value(pairs: &[(String, u64)], name: &str) -> u64 {
    pairs.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value)
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Lines `8:0 Read 4096`.
fn block_v1(text: &str) -> Vec<BlockStats> {
    let mut found: Vec<BlockStats> = Vec::new();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, kind, bytes] = words[..] else { continue };
        let (Some(device), Ok(bytes)) = (device(name), bytes.parse()) else { continue };
        if found.last().is_none_or(|last| last.device != device) {
            found.push(BlockStats { device, ..BlockStats::default() });
        }
        let last = found.last_mut().expect("one was just pushed");
        match kind {
            "Read" => last.read = bytes,
            "Write" => last.written = bytes,
            _ => {}
        }
    }
    found
}

/// Lines `8:0 rbytes=1 wbytes=2 …`.
fn block_v2(text: &str) -> Vec<BlockStats> {
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let device = device(words.next()?)?;
        let settings: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
        let bytes = |name: &str| {
            settings
                .iter()
                .find(|(known, _)| *known == name)
                .and_then(|(_, count)| count.parse().ok())
                .unwrap_or(0)
        };
        Some(BlockStats { device, read: bytes("rbytes"), written: bytes("wbytes") })
    };
    text.lines().filter_map(one).collect()
}

/// `/proc/net/dev`.
fn networks(text: &str) -> Vec<NetworkStats> {
    let one = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let numbers: Vec<u64> = rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let received = numbers.get(..4)?.try_into().ok()?;
        let sent = numbers.get(8..12)?.try_into().ok()?;
        Some(NetworkStats { name: name.trim().to_owned(), received, sent })
    };
    text.lines().filter_map(one).filter(|network| network.name != "lo").collect()
}

/// The first line of `/proc/stat`, in nanoseconds.
fn system_cpu(text: &str) -> u64 {
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse::<u64>().ok());
    ticks.sum::<u64>().saturating_mul(TICK_NANOS)
}

fn machine_memory(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A row of `ps -ef`; `None` if the process is gone meanwhile.
fn process(pid: u32) -> Option<[String; 8]> {
    use std::os::unix::fs::MetadataExt;
    let folder = format!("/proc/{pid}");
    let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let used = (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let age = (uptime as u64).saturating_sub(ticks(19)? / TICKS_PER_SECOND);
    let started =
        time::OffsetDateTime::from_unix_timestamp(host::clock::now().parts().0 - age as i64).ok()?;
    let command = fs::read(format!("{folder}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
    Some([
        fs::metadata(&folder).ok()?.uid().to_string(),
        pid.to_string(),
        (*words.get(1)?).to_owned(),
        (used * 100 / age.max(1)).to_string(),
        format!("{:02}:{:02}", started.hour(), started.minute()),
        "?".to_owned(),
        format!("{:02}:{:02}:{:02}", used / 3600, used / 60 % 60, used % 60),
        if command.is_empty() { format!("[{name}]") } else { command },
    ])
}

const TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/// The kernel tells times to programs in hundredths of a second, on all machines.
const TICKS_PER_SECOND: u64 = 100;
const TICK_NANOS: u64 = 1_000_000_000 / TICKS_PER_SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let text = "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
                    eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n";
        let eth0 = NetworkStats { name: "eth0".into(), received: [10, 2, 3, 4], sent: [50, 6, 7, 8] };
        assert_eq!(networks(text), [eth0]);
        let disk = BlockStats { device: (8, 0), read: 5, written: 7 };
        assert_eq!(
            block_v1("8:0 Read 5\n8:0 Write 7\n8:0 Total 12\nTotal 12\n"),
            std::slice::from_ref(&disk)
        );
        assert_eq!(block_v2("8:0 rbytes=5 wbytes=7 rios=1\n"), [disk]);
        assert_eq!(system_cpu("cpu  1 2 3 4 0 0 0 0 9 9\n"), 100_000_000);
        assert_eq!(machine_memory("MemTotal:  2 kB\n"), 2048);
    }

    proptest! {
        #[test]
        fn no_text_topples_it(text in ".{0,80}") {
            networks(&text);
            block_v1(&text);
            block_v2(&text);
            system_cpu(&text);
        }
    }
}
