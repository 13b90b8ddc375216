//! A task becomes the description of a container: pure translation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use api::template::TemplateError;
use model::spec::container::{ContainerSpec, DnsConfig};
use model::spec::mount::{MountKind, Propagation};
use model::spec::privileges::{AppArmor, Seccomp};
use model::{Driver, Task};
use runtime::container::description::{
    Confinement, Description, HostsLine, Limits, Mount, MountAccess, MountSource, Resolver, SeccompChoice,
    Size, Stdin, Terminal, Ulimit,
};
use runtime::container::health::HealthTest;
use runtime::logs::options::LogConfig;

use super::template::TaskTemplates;

/// Why a task cannot become a container on this node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// A template cannot be filled.
    #[error("{0}")]
    Template(#[from] TemplateError),
    /// Something is wished that this node cannot do.
    #[error("{0}")]
    NotBuilt(String),
    /// A value breaks a rule of this node.
    #[error("{0}")]
    Invalid(String),
}

/// The description of a task's container, without its image.
pub(crate) fn describe(
    task: &Task,
    spec: &ContainerSpec,
    templates: &TaskTemplates,
    default_log: &Driver,
) -> Result<Description, Unfit> {
    let filled =
        |texts: &[String]| texts.iter().map(|text| templates.fill_env(text)).collect::<Result<Vec<_>, _>>();
    Ok(Description {
        name: task.name(),
        entrypoint: some_if_any(&spec.command),
        command: some_if_any(&spec.args),
        env: filled(&spec.env)?,
        working_dir: spec.dir.clone(),
        user: spec.user.clone(),
        groups: spec.groups.clone(),
        hostname: templates.fill(&spec.hostname)?,
        labels: labels(task, spec),
        terminal: if spec.tty { Terminal::Sized(Size::default()) } else { Terminal::None },
        stdin: if spec.open_stdin { Stdin::Open } else { Stdin::Closed },
        stop_signal: spec.stop_signal.clone(),
        stop_grace: spec.stop_grace_period,
        health: spec.healthcheck.as_ref().map(health),
        init: spec.init.unwrap_or(false),
        mounts: spec.mounts.iter().map(|wished| mount(wished, templates)).collect::<Result<_, _>>()?,
        read_only_root: spec.read_only,
        confinement: confinement(spec)?,
        limits: limits(task, spec)?,
        sysctls: spec.sysctls.clone(),
        log: log(task.log_driver.as_ref().or(task.spec.log_driver.as_ref()).unwrap_or(default_log)),
        ..Description::default()
    })
}

/// The lines of the hosts file that the spec wishes: each `IP name…`.
pub(crate) fn hosts(spec: &ContainerSpec) -> Vec<HostsLine> {
    let line = |text: &String| {
        let mut words = text.split_whitespace().map(str::to_owned);
        words.next().map(|address| HostsLine { address, names: words.collect() })
    };
    spec.hosts.iter().filter_map(line).collect()
}

/// How the container resolves names: as the spec says, else by the name server in its sandbox.
pub(crate) fn resolver(dns: Option<&DnsConfig>) -> Resolver {
    let Some(DnsConfig { nameservers, search, options }) = dns.cloned() else {
        return sandbox_resolver(Vec::new(), Vec::new());
    };
    if nameservers.is_empty() {
        return sandbox_resolver(search, options);
    }
    Resolver::Own { nameservers, search, options }
}

/// The name server that listens in every sandbox.
fn sandbox_resolver(search: Vec<String>, mut options: Vec<String>) -> Resolver {
    if !options.iter().any(|option| option.starts_with("ndots:")) {
        options.push("ndots:0".to_owned());
    }
    Resolver::Own { nameservers: vec![NAME_SERVER.to_owned()], search, options }
}

/// Where the name server listens in every sandbox.
const NAME_SERVER: &str = "127.0.0.11";

/// The service's labels of containers, and those that tell whose it is; the latter win.
fn labels(task: &Task, spec: &ContainerSpec) -> BTreeMap<String, String> {
    let id = |id: Option<String>| id.unwrap_or_default();
    let own = [
        ("com.docker.swarm.task", String::new()),
        ("com.docker.swarm.task.id", task.id.to_string()),
        ("com.docker.swarm.task.name", task.name()),
        ("com.docker.swarm.node.id", id(task.node_id.map(|id| id.to_string()))),
        ("com.docker.swarm.service.id", id(task.service_id.map(|id| id.to_string()))),
        ("com.docker.swarm.service.name", task.service_annotations.name.clone()),
    ];
    let mut labels = spec.labels.clone();
    labels.extend(own.map(|(key, value)| (key.to_owned(), value)));
    labels
}

fn some_if_any(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

fn health(config: &model::spec::container::HealthConfig) -> HealthTest {
    let model::spec::container::HealthConfig {
        test,
        interval,
        timeout,
        retries,
        start_period,
        start_interval,
    } = config;
    HealthTest {
        test: test.clone(),
        interval: interval.filter(|interval| !interval.is_zero()),
        timeout: timeout.filter(|timeout| !timeout.is_zero()),
        retries: u32::try_from(*retries).unwrap_or(0),
        start_period: *start_period,
        start_interval: start_interval.filter(|interval| !interval.is_zero()),
    }
}

fn mount(wished: &model::spec::mount::Mount, templates: &TaskTemplates) -> Result<Mount, Unfit> {
    let source = templates.fill(&wished.source)?;
    let target = templates.fill(&wished.target)?;
    let bind = wished.bind.clone().unwrap_or_default();
    let access = match (wished.read_only, bind.read_only_non_recursive, bind.read_only_force_recursive) {
        (false, ..) => MountAccess::Writable,
        (true, _, true) => MountAccess::ReadOnlyForced,
        (true, true, false) => MountAccess::ReadOnlyTop,
        (true, false, false) => MountAccess::ReadOnly,
    };
    let source = match wished.kind {
        MountKind::Bind => MountSource::Bind {
            path: PathBuf::from(source),
            propagation: propagation(bind.propagation).to_owned(),
            non_recursive: bind.non_recursive,
            create: bind.create_mountpoint,
        },
        MountKind::Volume => volume(source, wished, templates)?,
        MountKind::Tmpfs => tmpfs(wished),
        MountKind::NamedPipe => {
            return Err(Unfit::NotBuilt("named pipes exist on Windows nodes only".to_owned()));
        }
        MountKind::Cluster => {
            return Err(Unfit::NotBuilt(
                "cluster volumes need a CSI plugin, which this node has none of".to_owned(),
            ));
        }
    };
    Ok(Mount { source, target, access })
}

fn volume(
    name: String,
    wished: &model::spec::mount::Mount,
    templates: &TaskTemplates,
) -> Result<MountSource, Unfit> {
    let options = wished.volume.clone().unwrap_or_default();
    let driver = options.driver.unwrap_or_default();
    let fill = |map: BTreeMap<String, String>| {
        map.into_iter()
            .map(|(key, value)| Ok((key, templates.fill(&value)?)))
            .collect::<Result<_, TemplateError>>()
    };
    Ok(MountSource::Volume {
        name,
        subpath: options.subpath,
        no_copy: options.no_copy,
        driver: driver.name,
        options: fill(driver.options)?,
        labels: fill(options.labels)?,
    })
}

fn tmpfs(wished: &model::spec::mount::Mount) -> MountSource {
    let options = wished.tmpfs.clone().unwrap_or_default();
    // The options travel as the JSON text of lists of words: [["noexec"], ["size", "1m"]].
    let words: Vec<Vec<String>> = serde_json::from_str(&options.options).unwrap_or_default();
    MountSource::Tmpfs {
        size: u64::try_from(options.size_bytes).unwrap_or(0),
        mode: options.mode & 0o1777,
        options: words.into_iter().map(|words| words.join("=")).collect(),
    }
}

fn propagation(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::RPrivate => "rprivate",
        Propagation::Private => "private",
        Propagation::RShared => "rshared",
        Propagation::Shared => "shared",
        Propagation::RSlave => "rslave",
        Propagation::Slave => "slave",
    }
}

fn confinement(spec: &ContainerSpec) -> Result<Confinement, Unfit> {
    let privileges = spec.privileges.clone().unwrap_or_default();
    if privileges.credential_spec.is_some() {
        return Err(Unfit::NotBuilt("credential specs exist on Windows nodes only".to_owned()));
    }
    let seccomp = match privileges.seccomp {
        None | Some(Seccomp::Default) => SeccompChoice::Usual,
        Some(Seccomp::Unconfined) => SeccompChoice::Unconfined,
        Some(Seccomp::Custom(profile)) => SeccompChoice::Profile(
            String::from_utf8(profile)
                .map_err(|_| Unfit::Invalid("the seccomp profile is no text".to_owned()))?,
        ),
    };
    let apparmor = match privileges.apparmor {
        Some(AppArmor::Disabled) => "unconfined".to_owned(),
        None | Some(AppArmor::Default) => String::new(),
    };
    Ok(Confinement {
        capabilities_add: spec.capability_add.clone(),
        capabilities_drop: spec.capability_drop.clone(),
        seccomp,
        no_new_privileges: privileges.no_new_privileges,
        apparmor,
        ..Confinement::default()
    })
}

fn limits(task: &Task, spec: &ContainerSpec) -> Result<Limits, Unfit> {
    let requirements = task.spec.resources.clone().unwrap_or_default();
    let limits = requirements.limits.unwrap_or_default();
    let reserved = requirements.reservations.unwrap_or_default();
    let ulimit = |limit: &model::spec::container::Ulimit| Ulimit {
        name: limit.name.clone(),
        soft: limit.soft,
        hard: limit.hard,
    };
    let too_far =
        || Unfit::Invalid(format!("oom-score-adj {} is not between -1000 and 1000", spec.oom_score_adj));
    Ok(Limits {
        nano_cpus: limits.nano_cpus,
        memory: limits.memory_bytes,
        memory_reservation: reserved.memory_bytes,
        memory_swap: memory_and_swap(limits.memory_bytes, requirements.swap_bytes),
        swappiness: requirements.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        pids: spec.pids_limit,
        ulimits: spec.ulimits.iter().map(ulimit).collect(),
        oom_score_adj: i32::try_from(spec.oom_score_adj).map_err(|_| too_far())?,
        ..Limits::default()
    })
}

/// Services say how much swap beyond memory; containers are told the sum.
fn memory_and_swap(memory: i64, swap: Option<i64>) -> i64 {
    match swap {
        None => 0,
        Some(-1) => -1,
        Some(swap) => memory.saturating_add(swap),
    }
}

fn log(driver: &Driver) -> LogConfig {
    LogConfig { driver: driver.name.clone(), options: driver.options.clone() }
}
