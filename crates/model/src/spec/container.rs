//! A container as a user wishes it.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::{ConfigId, SecretId};
use crate::meta::Labels;
use crate::spec::mount::Mount;
use crate::spec::privileges::Privileges;
use crate::time::Duration;

/// A container as a user wishes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    /// A reference to an image.
    pub image: String,
    /// Labels of the container.
    pub labels: Labels,
    /// Replaces the image's entrypoint if not empty.
    pub command: Vec<String>,
    /// Replaces the image's command if not empty.
    pub args: Vec<String>,
    /// `NAME=value`, each.
    pub env: Vec<String>,
    /// Where the process starts; empty means where the image says.
    pub dir: String,
    /// `user[:group]`, by name or number; empty means as the image says.
    pub user: String,
    /// More groups of the user.
    pub groups: Vec<String>,
    /// What it sees of the host.
    pub mounts: Vec<Mount>,
    /// How long it may take to stop; absent means 10 s.
    pub stop_grace_period: Option<Duration>,
    /// Credentials for the image's registry.
    pub registry_auth: RegistryAuth,
    /// Secrets it gets.
    pub secrets: Vec<SecretReference>,
    /// Configs it gets.
    pub configs: Vec<ConfigReference>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// Its host name; empty means the first letters of its id.
    pub hostname: String,
    /// How it resolves names; absent means as the node does.
    pub dns: Option<DnsConfig>,
    /// How to see that it is well; absent means as the image says.
    pub healthcheck: Option<HealthConfig>,
    /// More lines of its hosts file, each `IP name…`.
    pub hosts: Vec<String>,
    /// Whether its root file system cannot be written.
    pub read_only: bool,
    /// Which signal asks it to stop; empty means as the image says, else SIGTERM.
    pub stop_signal: String,
    /// Deviations from the usual confinement.
    pub privileges: Option<Privileges>,
    /// Whether a small init is its first process; absent means as the node does.
    pub init: Option<bool>,
    /// A word of Windows nodes.
    pub isolation: Isolation,
    /// The most processes it may have; 0 means no bound.
    pub pids_limit: i64,
    /// Kernel parameters of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Capabilities beyond the usual.
    pub capability_add: Vec<String>,
    /// Capabilities taken from the usual.
    pub capability_drop: Vec<String>,
    /// Bounds of its processes.
    pub ulimits: Vec<Ulimit>,
    /// How readily the kernel kills it when memory is short: −1000 to 1000.
    pub oom_score_adj: i64,
}

/// Credentials for a registry, as the client sent them: base64 of JSON. Empty if there are none. Never shown again.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistryAuth(pub String);

impl fmt::Debug for RegistryAuth {
    /// Leaves out the credentials: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryAuth")
    }
}

/// How a container resolves names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// Whom to ask.
    pub nameservers: Vec<String>,
    /// What to append.
    pub search: Vec<String>,
    /// As in resolv.conf.
    pub options: Vec<String>,
}

/// How to see that a container is well. Absent durations mean the image's, then the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthConfig {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a line; empty means the image's.
    pub test: Vec<String>,
    /// Between two tests.
    pub interval: Option<Duration>,
    /// The longest a test may take.
    pub timeout: Option<Duration>,
    /// So many failures in a row make it unhealthy; 0 means the image's.
    pub retries: i32,
    /// Failures this soon after its start do not count.
    pub start_period: Option<Duration>,
    /// Between two tests while it starts.
    pub start_interval: Option<Duration>,
}

/// One bound of a container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ulimit {
    /// As in `ulimit`: `nofile`, `nproc` …
    pub name: String,
    /// May be raised up to `hard`.
    pub soft: i64,
    /// May not be raised.
    pub hard: i64,
}

impl Ulimit {
    /// Every bound there is. `as` is not among them: under it the runtime itself could not start.
    pub const NAMES: [&str; 15] = [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ];
}

/// A word of Windows nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As the node does.
    #[default]
    Default,
    /// By process.
    Process,
    /// By Hyper-V.
    HyperV,
}

/// A secret that a container gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// Which.
    pub secret_id: SecretId,
    /// Its name, which must fit the id.
    pub secret_name: String,
    /// Where it shows.
    pub file: Option<FileTarget>,
}

/// A config that a container gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigReference {
    /// Which.
    pub config_id: ConfigId,
    /// Its name, which must fit the id.
    pub config_name: String,
    /// Where it shows.
    pub target: Option<ConfigTarget>,
}

/// Where a config shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigTarget {
    /// As a file.
    File(FileTarget),
    /// Not in the container: it is for the runtime.
    Runtime,
}

/// A file in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTarget {
    /// Its path, relative to where such files go.
    pub name: String,
    /// Its owner, a number.
    pub uid: String,
    /// Its group, a number.
    pub gid: String,
    /// Its permissions, in the bits of Go's `os.FileMode`.
    pub mode: u32,
}
