//! A container as a service describes it.

use std::collections::BTreeMap;

use model::spec::container as spec;
use model::spec::container::{Isolation, RegistryAuth};
use model::{ContainerSpec as Spec, Labels};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;
use crate::spec::mount::Mount;
use crate::spec::privileges::Privileges;
use crate::spec::reference::{ConfigReference, SecretReference};
use crate::time::{duration, nanos};
use crate::version::ApiVersion;

/// A container as a service describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSpec {
    /// A reference to an image.
    #[serde(skip_serializing_if = "is_zero")]
    pub image: String,
    /// Labels of the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: Labels,
    /// Replaces the image's entrypoint if not empty.
    #[serde(skip_serializing_if = "is_zero")]
    pub command: Vec<String>,
    /// Replaces the image's command if not empty.
    #[serde(skip_serializing_if = "is_zero")]
    pub args: Vec<String>,
    /// Its host name.
    #[serde(skip_serializing_if = "is_zero")]
    pub hostname: String,
    /// `NAME=value`, each.
    #[serde(skip_serializing_if = "is_zero")]
    pub env: Vec<String>,
    /// Where the process starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub dir: String,
    /// `user[:group]`, by name or number.
    #[serde(skip_serializing_if = "is_zero")]
    pub user: String,
    /// More groups of the user.
    #[serde(skip_serializing_if = "is_zero")]
    pub groups: Vec<String>,
    /// Deviations from the usual confinement.
    #[serde(skip_serializing_if = "is_zero")]
    pub privileges: Option<Privileges>,
    /// Whether a small init is its first process.
    #[serde(skip_serializing_if = "is_zero")]
    pub init: Option<bool>,
    /// Which signal asks it to stop.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_signal: String,
    /// Whether it has a terminal.
    #[serde(rename = "TTY", skip_serializing_if = "is_zero")]
    pub tty: bool,
    /// Whether its standard input stays open.
    #[serde(skip_serializing_if = "is_zero")]
    pub open_stdin: bool,
    /// Whether its root file system cannot be written.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only: bool,
    /// What it sees of the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub mounts: Vec<Mount>,
    /// How long it may take to stop, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_grace_period: Option<i64>,
    /// How to see that it is well.
    #[serde(rename = "Healthcheck", skip_serializing_if = "is_zero")]
    pub healthcheck: Option<HealthConfig>,
    /// More lines of its hosts file: `IP name…`.
    #[serde(skip_serializing_if = "is_zero")]
    pub hosts: Vec<String>,
    /// How it resolves names.
    #[serde(rename = "DNSConfig", skip_serializing_if = "is_zero")]
    pub dns_config: Option<DnsConfig>,
    /// Secrets it gets.
    #[serde(skip_serializing_if = "is_zero")]
    pub secrets: Vec<SecretReference>,
    /// Configs it gets.
    #[serde(skip_serializing_if = "is_zero")]
    pub configs: Vec<ConfigReference>,
    /// `default`, `process` or `hyperv`.
    #[serde(skip_serializing_if = "is_zero")]
    pub isolation: String,
    /// Kernel parameters of its namespaces.
    #[serde(skip_serializing_if = "is_zero")]
    pub sysctls: BTreeMap<String, String>,
    /// Capabilities beyond the usual.
    #[serde(skip_serializing_if = "is_zero")]
    pub capability_add: Vec<String>,
    /// Capabilities taken from the usual.
    #[serde(skip_serializing_if = "is_zero")]
    pub capability_drop: Vec<String>,
    /// Bounds of its processes.
    #[serde(skip_serializing_if = "is_zero")]
    pub ulimits: Vec<Ulimit>,
    /// How readily the kernel kills it when memory is short.
    #[serde(skip_serializing_if = "is_zero")]
    pub oom_score_adj: i64,
}

/// How to see that a container is well. Durations are nanoseconds; 0 means the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthConfig {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a line.
    #[serde(skip_serializing_if = "is_zero")]
    pub test: Vec<String>,
    /// Between two tests.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// The longest a test may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Failures this soon after its start do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two tests while it starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// So many failures in a row make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i32,
}

/// How a container resolves names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DnsConfig {
    /// Whom to ask.
    #[serde(skip_serializing_if = "is_zero")]
    pub nameservers: Vec<String>,
    /// What to append.
    #[serde(skip_serializing_if = "is_zero")]
    pub search: Vec<String>,
    /// As in resolv.conf.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: Vec<String>,
}

/// One bound of a container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ulimit {
    /// As in `ulimit`: `nofile`, `nproc` …
    pub name: String,
    /// May not be raised.
    pub hard: i64,
    /// May be raised up to `hard`.
    pub soft: i64,
}

impl ContainerSpec {
    /// The model's container. The most processes it may have travels in the resources here, and on the container
    /// there, so it is handed in.
    pub fn into_model(self, pids_limit: i64) -> Result<Spec, ApiError> {
        let Self {
            image,
            labels,
            command,
            args,
            hostname,
            env,
            dir,
            user,
            groups,
            privileges,
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts,
            stop_grace_period,
            healthcheck,
            hosts,
            dns_config,
            secrets,
            configs,
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits,
            oom_score_adj,
        } = self;
        let grace = |nanos| duration(nanos, "ContainerSpec.StopGracePeriod cannot be negative");
        Ok(Spec {
            image,
            labels,
            command,
            args,
            env,
            dir,
            user,
            groups,
            mounts: mounts.into_iter().map(Mount::into_model).collect::<Result<_, _>>()?,
            stop_grace_period: stop_grace_period.map(grace).transpose()?,
            registry_auth: RegistryAuth::default(), // comes in a header
            secrets: secrets.into_iter().map(SecretReference::into_model).collect::<Result<_, _>>()?,
            configs: configs.into_iter().map(ConfigReference::into_model).collect::<Result<_, _>>()?,
            tty,
            open_stdin,
            hostname,
            dns: dns_config.map(DnsConfig::into_model),
            healthcheck: healthcheck.map(HealthConfig::into_model).transpose()?,
            hosts,
            read_only,
            stop_signal,
            privileges: privileges.map(Privileges::into_model).transpose()?,
            init,
            isolation: isolation_from(&isolation)?,
            pids_limit,
            sysctls,
            capability_add,
            capability_drop,
            ulimits: ulimits
                .into_iter()
                .map(|Ulimit { name, hard, soft }| spec::Ulimit { name, soft, hard })
                .collect(),
            oom_score_adj,
        })
    }
}

impl From<&Spec> for ContainerSpec {
    /// Credentials stay behind; the most processes travels in the resources.
    fn from(spec: &Spec) -> Self {
        let Spec {
            image,
            labels,
            command,
            args,
            env,
            dir,
            user,
            groups,
            mounts,
            stop_grace_period,
            registry_auth: _,
            secrets,
            configs,
            tty,
            open_stdin,
            hostname,
            dns,
            healthcheck,
            hosts,
            read_only,
            stop_signal,
            privileges,
            init,
            isolation,
            pids_limit: _,
            sysctls,
            capability_add,
            capability_drop,
            ulimits,
            oom_score_adj,
        } = spec;
        Self {
            image: image.clone(),
            labels: labels.clone(),
            command: command.clone(),
            args: args.clone(),
            hostname: hostname.clone(),
            env: env.clone(),
            dir: dir.clone(),
            user: user.clone(),
            groups: groups.clone(),
            privileges: privileges.as_ref().map(Privileges::from),
            init: *init,
            stop_signal: stop_signal.clone(),
            tty: *tty,
            open_stdin: *open_stdin,
            read_only: *read_only,
            mounts: mounts.iter().map(Mount::from).collect(),
            stop_grace_period: stop_grace_period.map(nanos),
            healthcheck: healthcheck.as_ref().map(HealthConfig::from),
            hosts: hosts.clone(),
            dns_config: dns.as_ref().map(DnsConfig::from),
            secrets: secrets.iter().map(SecretReference::from).collect(),
            configs: configs.iter().map(ConfigReference::from).collect(),
            isolation: isolation_word(*isolation).to_owned(),
            sysctls: sysctls.clone(),
            capability_add: capability_add.clone(),
            capability_drop: capability_drop.clone(),
            ulimits: ulimits.iter().map(Ulimit::from).collect(),
            oom_score_adj: *oom_score_adj,
        }
    }
}

impl From<&spec::Ulimit> for Ulimit {
    fn from(spec::Ulimit { name, soft, hard }: &spec::Ulimit) -> Self {
        Self { name: name.clone(), hard: *hard, soft: *soft }
    }
}

impl HealthConfig {
    fn into_model(self) -> Result<spec::HealthConfig, ApiError> {
        let Self { test, interval, timeout, start_period, start_interval, retries } = self;
        let some = |nanos: i64, field: &str| match nanos {
            0 => Ok(None), // as the image says
            nanos => {
                duration(nanos, &format!("ContainerSpec.Healthcheck.{field} cannot be negative")).map(Some)
            }
        };
        Ok(spec::HealthConfig {
            test,
            interval: some(interval, "Interval")?,
            timeout: some(timeout, "Timeout")?,
            retries,
            start_period: some(start_period, "StartPeriod")?,
            start_interval: some(start_interval, "StartInterval")?,
        })
    }
}

impl From<&spec::HealthConfig> for HealthConfig {
    fn from(health: &spec::HealthConfig) -> Self {
        let spec::HealthConfig { test, interval, timeout, retries, start_period, start_interval } = health;
        let zero = |duration: &Option<model::Duration>| duration.map_or(0, nanos);
        Self {
            test: test.clone(),
            interval: zero(interval),
            timeout: zero(timeout),
            start_period: zero(start_period),
            start_interval: zero(start_interval),
            retries: *retries,
        }
    }
}

impl DnsConfig {
    fn into_model(self) -> spec::DnsConfig {
        let Self { nameservers, search, options } = self;
        spec::DnsConfig { nameservers, search, options }
    }
}

impl From<&spec::DnsConfig> for DnsConfig {
    fn from(spec::DnsConfig { nameservers, search, options }: &spec::DnsConfig) -> Self {
        Self { nameservers: nameservers.clone(), search: search.clone(), options: options.clone() }
    }
}

fn isolation_from(word: &str) -> Result<Isolation, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "" | "default" => Ok(Isolation::Default),
        "process" => Ok(Isolation::Process),
        "hyperv" => Ok(Isolation::HyperV),
        _ => Err(ApiError::invalid(format!("invalid Isolation: \"{word}\""))),
    }
}

fn isolation_word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Default => "default",
        Isolation::Process => "process",
        Isolation::HyperV => "hyperv",
    }
}

impl ContainerSpec {
    /// Leaves out what a client of this version cannot have meant.
    pub fn adjust(&mut self, version: ApiVersion) {
        if version < ApiVersion::v(46) {
            self.oom_score_adj = 0;
            for tmpfs in self.mounts.iter_mut().filter_map(|mount| mount.tmpfs_options.as_mut()) {
                tmpfs.options.clear();
            }
        }
        if version < ApiVersion::v(44) {
            if let Some(health) = &mut self.healthcheck {
                health.start_interval = 0;
            }
            if let Some(privileges) = &mut self.privileges {
                (privileges.seccomp, privileges.app_armor) = (None, None);
                privileges.no_new_privileges = false;
            }
        }
        if version < ApiVersion::v(41) {
            self.capability_add.clear();
            self.capability_drop.clear();
            self.ulimits.clear();
        }
        if version < ApiVersion::v(40) {
            self.sysctls.clear();
            self.configs.retain(|config| config.runtime.is_none());
            let credential =
                self.privileges.as_mut().and_then(|privileges| privileges.credential_spec.as_mut());
            if let Some(credential) = credential {
                credential.config.clear();
            }
        }
    }
}
