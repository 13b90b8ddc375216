//! The command line of the daemon.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser};
use manager::Pace;

use super::listener::TlsFiles;

/// The daemon of skep: manager, worker, or both.
///
/// It serves the Docker Engine API on a unix socket, so that the stock docker CLI drives it.
#[derive(Debug, Parser)]
#[command(
    name = "skepd",
    version,
    max_term_width = 100,
    args_override_self = true,
    after_help = "Example:\n  skepd --host unix:///run/skep.sock &\n  DOCKER_HOST=unix:///run/skep.sock docker swarm init"
)]
pub(super) struct Flags {
    /// Where to serve the API; may be given several times: unix:///path or tcp://address:port
    #[arg(short = 'H', long = "host", value_name = "ADDRESS", default_value = "unix:///run/skep.sock")]
    pub(super) hosts: Vec<String>,
    /// The group that may use the unix socket
    #[arg(short = 'G', long, value_name = "NAME", default_value = "docker")]
    pub(super) group: String,
    /// Where everything is kept that outlasts the machine's restart
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/skep")]
    pub(super) data_root: PathBuf,
    /// Where everything is kept that goes with the machine's restart
    #[arg(long, value_name = "FOLDER", default_value = "/run/skep")]
    pub(super) exec_root: PathBuf,
    /// Where to write the daemon's process id
    #[arg(short, long, value_name = "FILE", default_value = "/run/skep.pid")]
    pub(super) pidfile: PathBuf,
    /// A JSON file with the same settings under dockerd's keys; a flag wins over it
    #[arg(long, value_name = "FILE", default_value = super::file::DEFAULT_PATH)]
    pub(super) config_file: PathBuf,
    /// Check all settings, then end
    #[arg(long)]
    pub(super) validate: bool,
    /// Write the manual page
    #[arg(long, hide = true)]
    pub(super) man: bool,
    /// How much to log: error, warn, info, debug, trace
    #[arg(short, long, value_name = "LEVEL", default_value = "info")]
    pub(super) log_level: String,
    /// A label of this node's engine, KEY=VALUE; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub(super) labels: Vec<String>,
    /// What this node has that only you know, KIND=NUMBER or KIND=NAME; may be given several times
    #[arg(long = "node-generic-resource", value_name = "RESOURCE")]
    pub(super) generic_resources: Vec<String>,
    /// The OCI runtime, a name or a path; without it crun is looked for first, then runc
    #[arg(long, value_name = "PROGRAM")]
    pub(super) default_runtime: Option<String>,
    /// Address and mask of the local bridge, CIDR; chosen if not given
    #[arg(long, value_name = "CIDR")]
    pub(super) bip: Option<String>,
    /// A name server for containers instead of this machine's; may be given several times
    #[arg(long = "dns", value_name = "IP")]
    pub(super) dns: Vec<String>,
    /// A registry that is asked without checking its certificate, or in plain HTTP; may be given several times
    #[arg(long = "insecure-registry", value_name = "REGISTRY")]
    pub(super) insecure_registries: Vec<String>,
    /// Where containers' output goes if nothing is said: json-file, local, none
    #[arg(long, value_name = "DRIVER", default_value = "json-file")]
    pub(super) log_driver: String,
    /// An option of that driver, KEY=VALUE, such as max-size=10m; may be given several times
    #[arg(long = "log-opt", value_name = "OPTION")]
    pub(super) log_opts: Vec<String>,
    /// How many tasks are started or stopped at the same time; 0 means twice the processors
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(super) task_parallelism: usize,
    /// Swarms of many hosts.
    #[command(flatten)]
    pub(super) swarm: SwarmFlags,
    /// TLS on tcp.
    #[command(flatten)]
    pub(super) tls: TlsFlags,
}

/// Swarms of many hosts.
#[derive(Debug, Args)]
pub(super) struct SwarmFlags {
    /// What other nodes are told to reach this one at, if nothing is said on init or join: an address or an interface
    #[arg(long = "swarm-default-advertise-addr", value_name = "ADDRESS", default_value = "")]
    pub(super) advertise_addr: String,
    /// How often a leading manager says so, in tenths of a second; the same on all managers
    #[arg(long = "swarm-raft-heartbeat-tick", value_name = "NUMBER", default_value_t = 1)]
    heartbeat_tick: u32,
    /// How long managers wait for their leader before they elect another, in tenths of a second; up to twice as long
    /// by chance; 0 means four times the heartbeat; the same on all managers
    #[arg(long = "swarm-raft-election-tick", value_name = "NUMBER", default_value_t = 0)]
    election_tick: u32,
}

impl SwarmFlags {
    /// How soon managers take each other for lost.
    pub(super) fn pace(&self) -> Result<Pace> {
        let usual = Pace::default();
        let heartbeat_ticks = self.heartbeat_tick;
        if !(1..=TICKS_MAX).contains(&heartbeat_ticks) {
            bail!("swarm-raft-heartbeat-tick: {heartbeat_ticks} is not between 1 and {TICKS_MAX}");
        }
        let election_ticks = match self.election_tick {
            0 => heartbeat_ticks * usual.election_ticks,
            ticks if ticks > heartbeat_ticks && ticks <= TICKS_MAX * 10 => ticks,
            ticks => bail!(
                "swarm-raft-election-tick: {ticks} is not more than swarm-raft-heartbeat-tick, {heartbeat_ticks}, \
                 or beyond {}",
                TICKS_MAX * 10
            ),
        };
        Ok(Pace { heartbeat_ticks, election_ticks, ..usual })
    }
}

/// The longest time between heartbeats: a minute.
const TICKS_MAX: u32 = 600;

/// TLS on tcp.
#[derive(Debug, Args)]
pub(super) struct TlsFlags {
    /// On tcp: speak TLS
    #[arg(long)]
    tls: bool,
    /// On tcp: speak TLS and want a certificate from the client
    #[arg(long)]
    tlsverify: bool,
    /// On tcp: the authority that clients' certificates hang on
    #[arg(long, value_name = "FILE", default_value = "/etc/skep/ca.pem")]
    tlscacert: PathBuf,
    /// On tcp: the server's certificate
    #[arg(long, value_name = "FILE", default_value = "/etc/skep/cert.pem")]
    tlscert: PathBuf,
    /// On tcp: the server's key
    #[arg(long, value_name = "FILE", default_value = "/etc/skep/key.pem")]
    tlskey: PathBuf,
}

impl TlsFlags {
    /// The files to use; `None` if tcp is plain.
    pub(super) fn into_files(self) -> Option<TlsFiles> {
        let Self { tls, tlsverify, tlscacert, tlscert, tlskey } = self;
        let clients = tlsverify.then_some(tlscacert);
        (tls || tlsverify).then_some(TlsFiles { certificate: tlscert, key: tlskey, clients })
    }
}
