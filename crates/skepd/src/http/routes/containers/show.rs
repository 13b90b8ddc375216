//! Containers as `inspect` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use api::container::{
    ContainerConfig, ContainerCreate, ContainerInspect, ContainerState, Empty, EndpointSettings, GraphDriver,
    Health, HealthResult, MountPoint, NetworkSettings,
};
use api::host_config::{HostConfig, PortBinding, PortMap};
use api::spec::container::HealthConfig;
use axum::extract::{Path, State};
use model::Duration;
use network::{Protocol, Sandbox};
use runtime::container::description::{Description, Stdin, Terminal};
use runtime::container::exec::ExecPhase;
use runtime::container::health::HealthTest;
use runtime::container::mounts::MountKind;
use runtime::container::{Phase, Record, RootFolders};

use super::describe::WISH;
use super::{size, update};
use crate::connect::{Mode, Wiring};
use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::request::{Query, Spoken};
use crate::http::routes::Shared;
use crate::http::{older, respond};

pub(super) async fn inspect(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    query: Query,
) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let record = daemon.containers.inspect(id)?;
    let sandbox = daemon.connector.place_of(id).await;
    let mut shown = shown(&daemon, &record, sandbox.as_ref());
    if query.truth("size") {
        let size = size::sizes(&daemon, &[record]).await.remove(&id);
        shown.size_rw = size.map(|size| size.written);
        shown.size_root_fs = size.map(|size| size.whole);
    }
    Ok(respond::json(&older::container(&shown, version)))
}

fn shown(daemon: &Daemon, record: &Record, sandbox: Option<&Sandbox>) -> ContainerInspect {
    let wish = &record.description;
    let command = command_line(wish);
    let (path, args) =
        command.split_first().map_or_else(Default::default, |(path, args)| (path.clone(), args.to_vec()));
    let file = |root: &std::path::Path, name: &str| {
        root.join("containers").join(record.id.to_string()).join(name).display().to_string()
    };
    let (data_root, exec_root) = (&daemon.config.data_root, &daemon.config.exec_root);
    let running = |exec: &runtime::container::ExecId| {
        let record = daemon.containers.exec_inspect(*exec);
        record.is_ok_and(|record| matches!(record.phase, ExecPhase::Running { .. }))
    };
    ContainerInspect {
        id: record.id.to_string(),
        created: record.created.into(),
        path,
        args,
        state: state(record),
        image: wish.image.id.clone(),
        resolv_conf_path: file(exec_root, "resolv.conf"),
        hostname_path: file(exec_root, "hostname"),
        hosts_path: file(exec_root, "hosts"),
        log_path: file(data_root, &format!("{}-json.log", record.id)),
        name: format!("/{}", record.name),
        restart_count: i64::try_from(record.restarts.count).unwrap_or(i64::MAX),
        driver: "overlay2".to_owned(),
        platform: "linux".to_owned(),
        mount_label: String::new(),
        process_label: String::new(),
        app_armor_profile: wish.confinement.apparmor.clone(),
        exec_ids: daemon
            .containers
            .execs_of(record.id)
            .iter()
            .filter(|exec| running(exec))
            .map(ToString::to_string)
            .collect(),
        host_config: HostConfig { runtime: runtime_name(daemon), ..host_config(wish) },
        graph_driver: graph_driver(daemon.containers.root_of(record)),
        size_rw: None,
        size_root_fs: None,
        mounts: record.mounts.iter().map(mount).collect(),
        config: config(record),
        network_settings: network_settings(record, sandbox, &daemon.id),
    }
}

/// The name of what runs containers here.
pub(in crate::http::routes) fn runtime_name(daemon: &Daemon) -> String {
    let program = daemon.containers.runtime().unwrap_or_default();
    program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn graph_driver(folders: RootFolders) -> GraphDriver {
    let RootFolders { lower, upper, work, merged } = folders;
    let lower: Vec<_> = lower.iter().map(|folder| folder.display().to_string()).collect();
    let one = |folder: PathBuf| folder.display().to_string();
    let data = [
        ("LowerDir", lower.join(":")),
        ("MergedDir", one(merged)),
        ("UpperDir", one(upper)),
        ("WorkDir", one(work)),
    ];
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    GraphDriver { data, name: "overlay2".to_owned() }
}

fn state(record: &Record) -> ContainerState {
    let running = record.running();
    let exit = record.exit();
    let failure = record.failure.as_ref();
    // Who is about to be started again counts as running, as in Docker.
    let restarting = record.restarts.due.is_some();
    ContainerState {
        status: record.word().to_owned(),
        running: running.is_some() || restarting,
        paused: matches!(record.phase, Phase::Paused(_)),
        restarting,
        oom_killed: exit.is_some_and(|exit| exit.oom),
        dead: false,
        pid: running.map_or(0, |running| running.pid.into()),
        exit_code: exit
            .map(|exit| exit.code.into())
            .or(failure.map(|failure| failure.exit_code.into()))
            .unwrap_or(0),
        error: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
        started_at: running.map(|running| running.started).or(exit.map(|exit| exit.started)).into(),
        finished_at: exit.map(|exit| exit.finished).into(),
        health: record.health.as_ref().map(health),
    }
}

fn health(health: &runtime::container::health::Health) -> Health {
    let result = |probe: &runtime::container::health::Probe| HealthResult {
        start: probe.start.into(),
        end: probe.end.into(),
        exit_code: probe.exit_code.into(),
        output: probe.output.clone(),
    };
    Health {
        status: health.status.word().to_owned(),
        failing_streak: health.failing_streak.into(),
        log: health.log.iter().map(result).collect(),
    }
}

/// A test that an image brings.
fn health_test(test: &HealthTest) -> HealthConfig {
    let HealthTest { test, interval, timeout, retries, start_period, start_interval } = test.clone();
    let nanos = |duration: Option<Duration>| duration.map_or(0, api::time::nanos);
    HealthConfig {
        test,
        interval: nanos(interval),
        timeout: nanos(timeout),
        retries: i32::try_from(retries).unwrap_or(i32::MAX),
        start_period: nanos(start_period),
        start_interval: nanos(start_interval),
    }
}

/// The words that are run: the entrypoint and the command, each the container's or the image's.
pub(super) fn command_line(wish: &Description) -> Vec<String> {
    let image = &wish.image.defaults;
    let entrypoint = wish.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    // An entrypoint of its own takes the image's command away.
    let no_command = Vec::new();
    let usual = if wish.entrypoint.is_some() { &no_command } else { &image.command };
    entrypoint.iter().chain(wish.command.as_ref().unwrap_or(usual)).cloned().collect()
}

fn config(record: &Record) -> ContainerConfig {
    let wish = &record.description;
    let image = &wish.image.defaults;
    let or_image = |own: &String, image: &String| if own.is_empty() { image.clone() } else { own.clone() };
    let mut labels = image.labels.clone();
    labels.extend(wish.labels.clone());
    let wished = wished(wish).map(|create| create.config).unwrap_or_default();
    let usual = if wish.entrypoint.is_some() { None } else { Some(image.command.clone()) };
    ContainerConfig {
        hostname: if wish.hostname.is_empty() { record.id.short() } else { wish.hostname.clone() },
        domainname: wish.domain_name.clone(),
        user: or_image(&wish.user, &image.user),
        exposed_ports: exposed(record).into_iter().map(|port| (port, Empty {})).collect(),
        tty: wish.terminal != Terminal::None,
        open_stdin: wish.stdin != Stdin::Closed,
        stdin_once: wish.stdin == Stdin::Once,
        env: env(&image.env, &wish.env),
        cmd: wish.command.clone().or(usual).filter(|words| !words.is_empty()),
        image: wish.image.reference.clone(),
        volumes: image
            .volumes
            .iter()
            .cloned()
            .map(|path| (path, Default::default()))
            .chain(wished.volumes)
            .collect(),
        working_dir: or_image(&wish.working_dir, &image.working_dir),
        entrypoint: Some(wish.entrypoint.clone().unwrap_or_else(|| image.entrypoint.clone()))
            .filter(|words| !words.is_empty()),
        labels,
        stop_signal: or_image(&wish.stop_signal, &image.stop_signal),
        stop_timeout: wished.stop_timeout,
        healthcheck: wished
            .healthcheck
            .or_else(|| wish.health.as_ref().or(image.health.as_ref()).map(health_test)),
        ..wished
    }
}

/// The image's environment with the container's over it.
fn env(image: &[String], own: &[String]) -> Vec<String> {
    let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let replaced = |line: &&String| !own.iter().any(|other| key(other) == key(line));
    let kept = image.iter().filter(replaced).cloned();
    kept.chain(own.iter().filter(|line| line.contains('=')).cloned()).collect()
}

/// The client's own words; absent for tasks.
fn wished(wish: &Description) -> Option<ContainerCreate> {
    ContainerCreate::read(wish.notes.get(WISH)?.as_bytes()).ok()
}

/// As the client wished it; of tasks only what a description tells.
fn host_config(wish: &Description) -> HostConfig {
    let wiring = Wiring::of(wish);
    let known = wished(wish).map(|create| create.host_config).unwrap_or_else(|| HostConfig {
        network_mode: wiring.network_name().to_owned(),
        readonly_rootfs: wish.read_only_root,
        cap_add: wish.confinement.capabilities_add.clone(),
        cap_drop: wish.confinement.capabilities_drop.clone(),
        init: Some(wish.init),
        sysctls: wish.sysctls.clone(),
        ..HostConfig::default()
    });
    let mut known = update::with_limits(known, &wish.limits);
    known.masked_paths = Some(wish.confinement.masked());
    known.readonly_paths = Some(wish.confinement.read_only());
    known.restart_policy = update::shown_policy(wish.restart);
    if known.log_config.r#type.is_empty() {
        wish.log.driver().clone_into(&mut known.log_config.r#type);
        known.log_config.config.clone_from(&wish.log.options);
    }
    if known.shm_size == 0 {
        known.shm_size = 64 << 20;
    }
    known
}

pub(super) fn mount(mount: &runtime::container::mounts::MountPoint) -> MountPoint {
    let runtime::container::mounts::MountPoint {
        kind,
        volume,
        source,
        target,
        writable,
        propagation,
        anonymous: _,
    } = mount;
    let (kind, driver) = match kind {
        MountKind::Bind => ("bind", ""),
        MountKind::Volume => ("volume", "local"),
        MountKind::Tmpfs => ("tmpfs", ""),
    };
    MountPoint {
        r#type: kind.to_owned(),
        name: volume.clone(),
        source: source.display().to_string(),
        destination: target.clone(),
        driver: driver.to_owned(),
        mode: String::new(),
        rw: *writable,
        propagation: propagation.clone(),
    }
}

/// The word of a protocol.
pub(super) fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

fn network_settings(record: &Record, sandbox: Option<&Sandbox>, machine: &str) -> NetworkSettings {
    let wiring = Wiring::of(&record.description);
    let place = place(record, &wiring, sandbox, machine);
    NetworkSettings {
        sandbox_key: sandbox.map(|sandbox| sandbox.netns.display().to_string()).unwrap_or_default(),
        sandbox_id: sandbox.map(|_| record.id.to_string()).unwrap_or_default(),
        ports: sandbox.map(|sandbox| port_map(record, sandbox)).unwrap_or_default(),
        endpoint_id: place.endpoint_id.clone(),
        gateway: place.gateway.clone(),
        ip_address: place.ip_address.clone(),
        ip_prefix_len: place.ip_prefix_len,
        mac_address: place.mac_address.clone(),
        networks: networks(&wiring, place),
        ..NetworkSettings::default()
    }
}

/// A container's place in its network.
pub(super) fn place(
    record: &Record,
    wiring: &Wiring,
    sandbox: Option<&Sandbox>,
    machine: &str,
) -> EndpointSettings {
    let network_id = network::network_id(machine, wiring.network_name());
    let Some(interface) = sandbox.and_then(|sandbox| sandbox.interface) else {
        return EndpointSettings { network_id, ..EndpointSettings::default() };
    };
    EndpointSettings {
        aliases: wiring.sandbox.aliases.clone(),
        endpoint_id: network::endpoint_id(&network_id, &record.id.to_string()),
        network_id,
        mac_address: interface.mac.to_string(),
        gateway: interface.gateway.to_string(),
        ip_address: interface.address.to_string(),
        ip_prefix_len: interface.prefix.into(),
        ..EndpointSettings::default()
    }
}

/// A container's place by its network's name. Who is in another container's has none of its own.
pub(super) fn networks(wiring: &Wiring, place: EndpointSettings) -> BTreeMap<String, EndpointSettings> {
    match wiring.mode {
        Mode::Container(_) => BTreeMap::new(),
        Mode::Sandbox | Mode::Host => [(wiring.network_name().to_owned(), place)].into(),
    }
}

/// What a container listens on, as its image and its maker say.
pub(super) fn exposed(record: &Record) -> BTreeSet<String> {
    let wish = &record.description;
    let own = wished(wish).map(|create| create.config.exposed_ports).unwrap_or_default();
    wish.image.defaults.exposed_ports.iter().cloned().chain(own.into_keys()).collect()
}

/// The ports on the host; those that are exposed only are on none.
fn port_map(record: &Record, sandbox: &Sandbox) -> PortMap {
    let is_bridged = sandbox.interface.is_some();
    let mut map: PortMap =
        exposed(record).into_iter().filter(|_| is_bridged).map(|port| (port, None)).collect();
    for port in &sandbox.ports {
        let key = format!("{}/{}", port.container_port, protocol_word(port.protocol));
        let binding =
            PortBinding { host_ip: port.host_ip.to_string(), host_port: port.host_port.to_string() };
        map.entry(key).or_default().get_or_insert_default().push(binding);
    }
    map
}
