//! Flags and file become one checked [`Config`], before any port is bound or file is written.
//!
//! In: the command line, and a JSON file with dockerd's keys. Out: a value that nobody has to check again. Flags
//! have dockerd's names, so that a unit file needs no other words; a flag wins over the file.

mod file;
mod flags;
mod listener;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser};
use manager::Pace;
use model::Driver;
use model::spec::resources::GenericResource;

use flags::Flags;
pub(crate) use listener::{Listener, TlsFiles};

/// The manual page of the daemon, out of its grammar.
fn man_page() -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Flags::command()).render(&mut page)?;
    Ok(page)
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where to serve the API; never empty.
    pub(crate) listeners: Vec<Listener>,
    /// The group that may use the unix sockets.
    pub(crate) group: String,
    /// What outlasts the machine's restart.
    pub(crate) data_root: PathBuf,
    /// What goes with the machine's restart.
    pub(crate) exec_root: PathBuf,
    /// The process id's file.
    pub(crate) pidfile: PathBuf,
    /// How much to log.
    pub(crate) log_level: tracing::Level,
    /// Labels of the engine.
    pub(crate) labels: BTreeMap<String, String>,
    /// What only the operator knows.
    pub(crate) generic_resources: Vec<GenericResource>,
    /// The OCI runtime's name or path; absent means the first that is found.
    pub(crate) runtime: Option<String>,
    /// Address and mask of the local bridge; absent means that they are chosen.
    pub(crate) bip: Option<String>,
    /// Name servers for containers; empty means this machine's.
    pub(crate) dns: Vec<IpAddr>,
    /// Registries that are asked without checking them.
    pub(crate) insecure_registries: Vec<String>,
    /// Where containers' output goes if nothing is said.
    pub(crate) log_driver: Driver,
    /// How many tasks are started or stopped at the same time; at least 1.
    pub(crate) task_parallelism: usize,
    /// What others are told to reach this node at, if a user who begins or joins a swarm does not say; may be empty.
    pub(crate) advertise_addr: String,
    /// How soon managers take each other for lost.
    pub(crate) pace: Pace,
    /// Where the service manager wants to be told how far the daemon is.
    pub(crate) notify_socket: Option<PathBuf>,
}

impl Config {
    /// Reads command line and file. `None` if something else was wanted than a daemon, and was done.
    ///
    /// Prints help or the fault and ends the program, as clap does, if the command line itself is wrong.
    pub(crate) fn read() -> Result<Option<Self>> {
        let words: Vec<String> = std::env::args().collect();
        let flags = match Flags::try_parse_from(&words) {
            Ok(flags) => file::flags_with_file(flags, &words)?,
            Err(error) => error.exit(),
        };
        if flags.man {
            std::io::stdout().write_all(&man_page()?)?;
            return Ok(None);
        }
        let validate = flags.validate;
        let config = Self::try_from(flags)?;
        if validate {
            println!("the settings are good");
            return Ok(None);
        }
        Ok(Some(config))
    }
}

impl TryFrom<Flags> for Config {
    type Error = anyhow::Error;

    fn try_from(flags: Flags) -> Result<Self> {
        let Flags {
            hosts,
            group,
            data_root,
            exec_root,
            pidfile,
            config_file: _,
            validate: _,
            man: _,
            log_level,
            labels,
            generic_resources,
            default_runtime,
            bip,
            dns,
            insecure_registries,
            log_driver,
            log_opts,
            task_parallelism,
            swarm,
            tls,
        } = flags;
        let tls = tls.into_files();
        let listener = |host: &String| Listener::parse(host, tls.as_ref());
        let log_options = pairs("log-opt", &log_opts)?;
        if !matches!(log_driver.as_str(), "json-file" | "local" | "none") {
            bail!("log-driver: \"{log_driver}\" is not built; use json-file, local or none");
        }
        Ok(Self {
            listeners: hosts.iter().map(listener).collect::<Result<_>>()?,
            group,
            data_root: absolute("data-root", data_root)?,
            exec_root: absolute("exec-root", exec_root)?,
            pidfile,
            log_level: log_level.parse().with_context(|| {
                format!("log-level: \"{log_level}\" is none of error, warn, info, debug, trace")
            })?,
            labels: pairs("label", &labels)?,
            generic_resources: generic_resources
                .iter()
                .map(|text| generic_resource(text))
                .collect::<Result<_>>()?,
            runtime: default_runtime,
            bip,
            dns: dns.iter().map(|text| address(text)).collect::<Result<_>>()?,
            insecure_registries,
            log_driver: Driver { name: log_driver, options: log_options },
            pace: swarm.pace()?,
            advertise_addr: swarm.advertise_addr,
            notify_socket: std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from),
            task_parallelism: if task_parallelism == 0 { twice_the_processors() } else { task_parallelism },
        })
    }
}

/// `KEY=VALUE` texts as a map; the same key twice with different values is refused.
fn pairs(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for text in texts {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("{flag}: \"{text}\" is not KEY=VALUE");
        };
        if map.insert(key.to_owned(), value.to_owned()).is_some_and(|old| old != value) {
            bail!("{flag}: \"{key}\" is given twice with different values");
        }
    }
    Ok(map)
}

fn generic_resource(text: &str) -> Result<GenericResource> {
    let Some((kind, value)) =
        text.split_once('=').filter(|(kind, value)| !kind.is_empty() && !value.is_empty())
    else {
        bail!("node-generic-resource: \"{text}\" is not KIND=NUMBER or KIND=NAME");
    };
    let kind = kind.to_owned();
    Ok(match value.parse() {
        Ok(count) => GenericResource::Discrete { kind, value: count },
        Err(_) => GenericResource::Named { kind, value: value.to_owned() },
    })
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().with_context(|| format!("dns: \"{text}\" is not an IP address"))
}

fn absolute(flag: &str, path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).with_context(|| format!("{flag}: \"{}\" is no path", path.display()))
}

fn twice_the_processors() -> usize {
    std::thread::available_parallelism().map_or(2, |processors| processors.get() * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(words: &[&str]) -> Result<Config> {
        Config::try_from(Flags::try_parse_from([&["skepd"], words].concat())?)
    }

    #[test]
    fn nothing_said_means_one_unix_socket() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listeners, [Listener::Unix("/run/skep.sock".into())]);
        assert!(config.task_parallelism > 0);
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (words, word) in [
            (&["--label", "zone"][..], "label"),
            (&["--label", "a=1", "--label", "a=2"], "twice"),
            (&["-H", "http://x"], "host"),
            (&["-H", "tcp://1.2.3.4"], "host"),
            (&["--log-level", "loud"], "log-level"),
            (&["--log-driver", "syslog"], "log-driver"),
            (&["--node-generic-resource", "GPU"], "node-generic-resource"),
            (&["--dns", "one"], "dns"),
            (&["--swarm-raft-heartbeat-tick", "0"], "swarm-raft-heartbeat-tick"),
            (
                &["--swarm-raft-heartbeat-tick", "3", "--swarm-raft-election-tick", "3"],
                "swarm-raft-election-tick",
            ),
        ] {
            let error = format!("{:#}", config(words).unwrap_err());
            assert!(error.contains(word), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.json");
        std::fs::write(&path, r#"{"labels": ["a=1"], "log-level": "debug", "tlsverify": false}"#).unwrap();
        let words: Vec<String> = ["skepd", "--config-file", path.to_str().unwrap(), "--log-level", "warn"]
            .map(str::to_owned)
            .to_vec();
        let flags = file::flags_with_file(Flags::try_parse_from(&words).unwrap(), &words).unwrap();
        let config = Config::try_from(flags).unwrap();
        assert_eq!(config.labels["a"], "1");
        assert_eq!(config.log_level, tracing::Level::WARN);
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.json");
        for text in ["{", "[]", r#"{"colour": "red"}"#, r#"{"bip": 7.5e400}"#] {
            std::fs::write(&path, text).unwrap();
            let words = ["skepd".to_owned(), "--config-file".to_owned(), path.display().to_string()];
            let flags = Flags::try_parse_from(&words).unwrap();
            let error = format!("{:#}", file::flags_with_file(flags, &words).unwrap_err());
            assert!(error.contains("daemon.json"), "{text}: {error}");
        }
    }
}
