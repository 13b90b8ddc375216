//! What a container shall be: all that is known when it is made, and what is only known when it starts.
//!
//! A [`Description`] is kept as it came, so that `inspect` can show it and a restart can use it again. Nothing
//! here is checked; `container::spec` does, when the container is made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::time::Duration;
use serde::{Deserialize, Serialize};

use crate::container::health::HealthTest;
use crate::container::restart::RestartPolicy;
use crate::logs::options::LogConfig;

/// What a container shall be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Description {
    /// Its name, without slash; unique on the node.
    pub name: String,
    /// The image it is made from.
    pub image: ImageUse,
    /// Replaces the image's entrypoint, and with it the image's command.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// `NAME=value`, each, after the image's; a name without `=` takes the image's value away.
    pub env: Vec<String>,
    /// Where the process starts; empty means where the image says.
    pub working_dir: String,
    /// `user[:group]` by name or number; empty means as the image says.
    pub user: String,
    /// More groups of the user, by name or number.
    pub groups: Vec<String>,
    /// Empty means the first letters of its id.
    pub hostname: String,
    /// The part of its host name after the first dot.
    pub domain_name: String,
    /// Added to the image's.
    pub labels: BTreeMap<String, String>,
    /// Whether it has a terminal.
    pub terminal: Terminal,
    /// What becomes of its standard input.
    pub stdin: Stdin,
    /// Which signal asks it to stop; empty means as the image says, else SIGTERM.
    pub stop_signal: String,
    /// How long it may take to stop; absent means 10 s.
    pub stop_grace: Option<Duration>,
    /// How to see that it is well; absent means as the image says.
    pub health: Option<HealthTest>,
    /// Whether a small init is its first process.
    pub init: bool,
    /// What it sees of the host.
    pub mounts: Vec<Mount>,
    /// Whether its root file system cannot be written.
    pub read_only_root: bool,
    /// How it is confined.
    pub confinement: Confinement,
    /// What it may use.
    pub limits: Limits,
    /// Kernel parameters of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// How large its `/dev/shm` may grow, in bytes; 0 means 64 MiB.
    pub shm_size: u64,
    /// Which namespaces it does not have for itself.
    pub shared: SharedNamespaces,
    /// Where its output is kept.
    pub log: LogConfig,
    /// Whether it goes away by itself when it has ended.
    pub auto_remove: bool,
    /// Whether it is started again when it has ended.
    pub restart: RestartPolicy,
    /// Words for the daemon, kept and shown but not understood here.
    pub notes: BTreeMap<String, String>,
}

/// An image, as far as containers need to know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageUse {
    /// As the user named it.
    pub reference: String,
    /// `sha256:` and 64 hexadecimal letters.
    pub id: String,
    /// The folders of its layers, the topmost first, as overlayfs wants them.
    pub layers: Vec<PathBuf>,
    /// What it says about containers made from it.
    pub defaults: ImageDefaults,
}

/// What an image says about containers made from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageDefaults {
    /// The first words of the command line.
    pub entrypoint: Vec<String>,
    /// The words after it.
    pub command: Vec<String>,
    /// `NAME=value`, each.
    pub env: Vec<String>,
    /// Where the process starts; empty means `/`.
    pub working_dir: String,
    /// `user[:group]`; empty means root.
    pub user: String,
    /// Paths that become volumes without name.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Which signal asks it to stop; empty means SIGTERM.
    pub stop_signal: String,
    /// How to see that it is well.
    pub health: Option<HealthTest>,
    /// `80/tcp`, each; only shown.
    pub exposed_ports: Vec<String>,
}

/// Whether a process has a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terminal {
    /// Output and errors come apart, through pipes.
    #[default]
    None,
    /// One terminal, of this size at first.
    Sized(Size),
}

/// The size of a terminal; zeros mean that it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Letters in a line.
    pub columns: u16,
}

/// What becomes of standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    /// There is none.
    #[default]
    Closed,
    /// It stays open whoever comes and goes.
    Open,
    /// It ends when the first who wrote to it ends.
    Once,
}

/// Something of the host that a container sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where it shows, an absolute path.
    pub target: String,
    /// Whether it can be written.
    pub access: MountAccess,
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MountSource {
    /// A path of the host.
    Bind {
        /// The path.
        path: PathBuf,
        /// `private`, `rprivate`, `shared`, `rshared`, `slave` or `rslave`; empty means `rprivate`.
        propagation: String,
        /// Leaves out what is mounted beneath.
        non_recursive: bool,
        /// Makes a folder there if there is nothing.
        create: bool,
    },
    /// A volume of the node, made if it is not there.
    Volume {
        /// Its name; empty means a new one without name.
        name: String,
        /// A folder within it; empty means all of it.
        subpath: String,
        /// Does not fill a new volume with what the image has there.
        no_copy: bool,
        /// The driver of a new volume; empty means `local`.
        driver: String,
        /// For the driver of a new volume.
        options: BTreeMap<String, String>,
        /// Labels of a new volume.
        labels: BTreeMap<String, String>,
    },
    /// A file system in memory.
    Tmpfs {
        /// The most it may hold, in bytes; 0 means half the memory.
        size: u64,
        /// Permissions of its root; 0 means 1777.
        mode: u32,
        /// More options, as `mount -o` takes them.
        options: Vec<String>,
    },
}

impl Default for MountSource {
    fn default() -> Self {
        Self::Tmpfs { size: 0, mode: 0, options: Vec::new() }
    }
}

/// Whether a mount can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountAccess {
    /// It can.
    #[default]
    Writable,
    /// It cannot, and as far as the kernel is able, nor can what is mounted beneath it.
    ReadOnly,
    /// Only the top cannot.
    ReadOnlyTop,
    /// It cannot, nor can what is beneath; refused if the kernel is not able.
    ReadOnlyForced,
}

/// How a container is confined. The default is Docker's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confinement {
    /// Hardly at all: all capabilities, all devices, nothing masked.
    pub privileged: bool,
    /// Capabilities beyond the usual; `ALL` means all.
    pub capabilities_add: Vec<String>,
    /// Capabilities taken from the usual; `ALL` means all.
    pub capabilities_drop: Vec<String>,
    /// Which system calls.
    pub seccomp: SeccompChoice,
    /// Whether no program may gain rights.
    pub no_new_privileges: bool,
    /// Paths that show nothing; absent means the usual.
    pub masked_paths: Option<Vec<String>>,
    /// Paths that cannot be written; absent means the usual.
    pub read_only_paths: Option<Vec<String>>,
    /// Devices of the host that it may use.
    pub devices: Vec<DeviceUse>,
    /// Rules for devices, as in `c 1:3 rwm`.
    pub device_rules: Vec<String>,
    /// The AppArmor profile; empty means none.
    pub apparmor: String,
}

impl Confinement {
    /// The paths that show nothing.
    pub fn masked(&self) -> Vec<String> {
        self.or_usual(&self.masked_paths, &MASKED)
    }

    /// The paths that cannot be written.
    pub fn read_only(&self) -> Vec<String> {
        self.or_usual(&self.read_only_paths, &READ_ONLY)
    }

    fn or_usual(&self, wished: &Option<Vec<String>>, usual: &[&str]) -> Vec<String> {
        match wished {
            Some(paths) => paths.clone(),
            None if self.privileged => Vec::new(),
            None => usual.iter().map(|path| (*path).to_owned()).collect(),
        }
    }
}

const MASKED: [&str; 11] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompChoice {
    /// The usual ones.
    #[default]
    Usual,
    /// All.
    Unconfined,
    /// As this profile says: JSON in Docker's form.
    Profile(String),
}

/// A device of the host in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceUse {
    /// Its path on the host.
    pub host: PathBuf,
    /// Its path in the container.
    pub path: String,
    /// Some of `r`, `w` and `m`.
    pub access: String,
}

/// What a container may use. Zeros and absences mean no bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Billionths of a CPU.
    pub nano_cpus: i64,
    /// Its weight against others, 1024 being usual.
    pub cpu_shares: u64,
    /// Microseconds of a period.
    pub cpu_period: u64,
    /// Microseconds of CPU in a period.
    pub cpu_quota: i64,
    /// Which CPUs, as in `0-2,4`.
    pub cpuset_cpus: String,
    /// Which memory nodes.
    pub cpuset_mems: String,
    /// Bytes.
    pub memory: i64,
    /// Bytes that others leave to it when memory is short.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; −1 means no bound of swap.
    pub memory_swap: i64,
    /// How readily its memory is swapped, 0 to 100.
    pub swappiness: Option<u64>,
    /// The most processes.
    pub pids: i64,
    /// Its weight against others at block devices, 10 to 1000.
    pub block_weight: u16,
    /// Bounds of single processes.
    pub ulimits: Vec<Ulimit>,
    /// How readily the kernel kills it when memory is short: −1000 to 1000.
    pub oom_score_adj: i32,
    /// Whether it waits instead of being killed when its memory is full (cgroup v1 only).
    pub oom_kill_disable: bool,
}

/// One bound of single processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// As in `ulimit`: `nofile`, `nproc` …
    pub name: String,
    /// May be raised up to `hard`; −1 means no bound.
    pub soft: i64,
    /// May not be raised; −1 means no bound.
    pub hard: i64,
}

/// Which namespaces a container does not have for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedNamespaces {
    /// Processes.
    pub pid: Sharing,
    /// Queues and shared memory.
    pub ipc: Sharing,
    /// The host name.
    pub uts: Sharing,
    /// Control groups.
    pub cgroup: Sharing,
}

/// With whom a container shares a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// With nobody.
    #[default]
    Own,
    /// With the host.
    Host,
    /// With another container, which must run.
    Container(crate::container::ContainerId),
}

/// What is only known when a container starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// Its network.
    pub network: NetworkPlace,
    /// Lines of its hosts file beyond the usual, in order.
    pub hosts: Vec<HostsLine>,
    /// How it resolves names.
    pub resolver: Resolver,
}

/// Where a container's network is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkPlace {
    /// A namespace of its own with nothing but the loopback.
    #[default]
    Isolated,
    /// The host's.
    Host,
    /// A namespace that somebody made.
    Path(PathBuf),
    /// Another container's, which must run.
    Container(crate::container::ContainerId),
}

/// A line of a hosts file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsLine {
    /// The address.
    pub address: String,
    /// Its names.
    pub names: Vec<String>,
}

/// How a container resolves names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolver {
    /// As the host does.
    #[default]
    Host,
    /// By a `resolv.conf` of its own.
    Own {
        /// Whom to ask.
        nameservers: Vec<String>,
        /// What to append.
        search: Vec<String>,
        /// As in `resolv.conf`.
        options: Vec<String>,
    },
}
