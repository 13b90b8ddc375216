//! A client's wish for a container becomes a description: pure translation, and the refusal of what is not built.

use std::net::Ipv4Addr;

use api::ApiError;
use api::container::{ContainerConfig, ContainerCreate};
use api::host_config::HostConfig;
use api::spec::container::HealthConfig;
use model::Duration;
use network::{HostPort, Link, Protocol, SandboxSpec};
use runtime::container::ContainerId;
use runtime::container::description::{
    Confinement, Description, DeviceUse, HostsLine, Resolver, SeccompChoice, SharedNamespaces, Sharing, Size,
    Stdin, Terminal,
};
use runtime::container::health::HealthTest;
use runtime::logs::options::LogConfig;

use super::{mounts, update};
use crate::connect::{Mode, Wiring};

/// The key of the client's own words among a container's notes.
pub(super) const WISH: &str = "wish";
/// Where the name server listens in every sandbox.
const NAME_SERVER: &str = "127.0.0.11";

/// The description of a new container, without its image and name.
///
/// # Errors
/// If something cannot be meant, or is not built.
pub(super) fn describe(
    create: &ContainerCreate,
    find: &dyn Fn(&str) -> Result<ContainerId, ApiError>,
) -> Result<Description, ApiError> {
    let ContainerCreate { config, host_config: host, networking_config } = create;
    refuse_unbuilt(host)?;
    let terminal = Size {
        rows: u16::try_from(host.console_size[0]).unwrap_or(0),
        columns: u16::try_from(host.console_size[1]).unwrap_or(0),
    };
    let mut description = Description {
        entrypoint: config.entrypoint.clone(),
        command: config.cmd.clone(),
        env: config.env.clone(),
        working_dir: config.working_dir.clone(),
        user: config.user.clone(),
        groups: host.group_add.clone(),
        hostname: config.hostname.clone(),
        domain_name: config.domainname.clone(),
        labels: config.labels.clone(),
        terminal: if config.tty { Terminal::Sized(terminal) } else { Terminal::None },
        stdin: match (config.open_stdin, config.stdin_once) {
            (false, _) => Stdin::Closed,
            (true, false) => Stdin::Open,
            (true, true) => Stdin::Once,
        },
        stop_signal: config.stop_signal.clone(),
        stop_grace: config.stop_timeout.map(seconds),
        health: config.healthcheck.clone().map(health).transpose()?,
        init: host.init.unwrap_or(false),
        mounts: mounts::of(host, config.volumes.keys().cloned())?,
        read_only_root: host.readonly_rootfs,
        confinement: confinement(host)?,
        limits: update::limits(host)?,
        sysctls: host.sysctls.clone(),
        shm_size: u64::try_from(host.shm_size)
            .map_err(|_| ApiError::invalid("HostConfig.ShmSize: SHM size can not be less than 0"))?,
        shared: shared(host, find)?,
        log: LogConfig { driver: host.log_config.r#type.clone(), options: host.log_config.config.clone() },
        auto_remove: host.auto_remove,
        restart: update::policy(&host.restart_policy)?,
        ..Description::default()
    };
    let aliases =
        networking_config.endpoints_config.values().flat_map(|place| place.aliases.clone()).collect();
    wiring(config, host, aliases, find)?.note(&mut description);
    let wish = serde_json::to_string(create).expect("what was JSON becomes JSON again");
    description.notes.insert(WISH.to_owned(), wish);
    Ok(description)
}

fn refuse_unbuilt(host: &HostConfig) -> Result<(), ApiError> {
    let unbuilt = [
        (!host.volumes_from.is_empty(), "taking volumes from other containers"),
        (!host.links.is_empty(), "links between containers"),
        (!host.device_requests.is_empty(), "requesting devices by what they can do"),
        (!host.storage_opt.is_empty(), "options of the writable layer"),
        (!matches!(host.userns_mode.as_str(), "" | "host"), "user namespaces"),
    ];
    match unbuilt.into_iter().find(|(wished, _)| *wished) {
        Some((_, what)) => Err(ApiError::not_built(what)),
        None => Ok(()),
    }
}

fn seconds(seconds: i64) -> Duration {
    // A container that may take forever is given the longest time that can be said.
    u64::try_from(seconds).map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_secs)
}

fn health(config: HealthConfig) -> Result<HealthTest, ApiError> {
    let HealthConfig { test, interval, timeout, start_period, start_interval, retries } = config;
    let some = |nanos: i64, field: &str| match nanos {
        0 => Ok(None),
        1..1_000_000 => Err(ApiError::invalid(format!("{field} in Healthcheck cannot be less than 1ms"))),
        nanos => {
            let refusal = format!("{field} in Healthcheck cannot be less than 1ms");
            api::time::duration(nanos, &refusal).map(Some)
        }
    };
    Ok(HealthTest {
        test,
        interval: some(interval, "Interval")?,
        timeout: some(timeout, "Timeout")?,
        retries: u32::try_from(retries)
            .map_err(|_| ApiError::invalid("Retries in Healthcheck cannot be negative"))?,
        start_period: some(start_period, "StartPeriod")?,
        start_interval: some(start_interval, "StartInterval")?,
    })
}

fn confinement(host: &HostConfig) -> Result<Confinement, ApiError> {
    let mut confinement = Confinement {
        privileged: host.privileged,
        capabilities_add: host.cap_add.clone(),
        capabilities_drop: host.cap_drop.clone(),
        masked_paths: host.masked_paths.clone(),
        read_only_paths: host.readonly_paths.clone(),
        devices: host.devices.iter().map(device).collect(),
        device_rules: host.device_cgroup_rules.clone(),
        ..Confinement::default()
    };
    for option in &host.security_opt {
        match option.split_once(['=', ':']).unwrap_or((option, "true")) {
            ("no-new-privileges", value) => confinement.no_new_privileges = value == "true",
            ("seccomp", "unconfined") => confinement.seccomp = SeccompChoice::Unconfined,
            ("seccomp", "builtin") => confinement.seccomp = SeccompChoice::Usual,
            ("seccomp", profile) => confinement.seccomp = SeccompChoice::Profile(profile.to_owned()),
            ("apparmor", profile) => profile.clone_into(&mut confinement.apparmor),
            ("label", _) => {} // SELinux is not in use here
            ("systempaths", "unconfined") => {
                (confinement.masked_paths, confinement.read_only_paths) =
                    (Some(Vec::new()), Some(Vec::new()));
            }
            _ => {
                return Err(ApiError::invalid(format!(
                    "HostConfig.SecurityOpt: invalid --security-opt: \"{option}\""
                )));
            }
        }
    }
    Ok(confinement)
}

fn device(device: &api::host_config::DeviceMapping) -> DeviceUse {
    DeviceUse {
        host: device.path_on_host.clone().into(),
        path: device.path_in_container.clone(),
        access: device.cgroup_permissions.clone(),
    }
}

fn shared(
    host: &HostConfig,
    find: &dyn Fn(&str) -> Result<ContainerId, ApiError>,
) -> Result<SharedNamespaces, ApiError> {
    let sharing = |field: &str, mode: &str| match mode.split_once(':') {
        Some(("container", other)) => find(other).map(Sharing::Container),
        None if matches!(mode, "" | "private" | "shareable" | "none") => Ok(Sharing::Own),
        None if mode == "host" => Ok(Sharing::Host),
        _ => Err(ApiError::invalid(format!("HostConfig.{field}: invalid mode: {mode}"))),
    };
    Ok(SharedNamespaces {
        pid: sharing("PidMode", &host.pid_mode)?,
        ipc: sharing("IpcMode", &host.ipc_mode)?,
        uts: sharing("UTSMode", &host.uts_mode)?,
        cgroup: sharing("CgroupnsMode", &host.cgroupns_mode)?,
    })
}

fn wiring(
    config: &ContainerConfig,
    host: &HostConfig,
    aliases: Vec<String>,
    find: &dyn Fn(&str) -> Result<ContainerId, ApiError>,
) -> Result<Wiring, ApiError> {
    let (mode, link) = match host.network_mode.split_once(':') {
        Some(("container", other)) => (Mode::Container(find(other)?), Link::Bridge),
        _ if config.network_disabled => (Mode::Sandbox, Link::Loopback),
        _ => match host.network_mode.as_str() {
            "" | "default" | "bridge" => (Mode::Sandbox, Link::Bridge),
            "none" => (Mode::Sandbox, Link::Loopback),
            "host" => (Mode::Host, Link::Bridge),
            other => {
                return Err(ApiError::not_built(&format!(
                    "attaching containers by hand to the network {other}"
                )));
            }
        },
    };
    let resolver = match (&mode, host.dns.as_slice()) {
        (Mode::Sandbox, []) => sandbox_resolver(host),
        (_, []) => Resolver::Host,
        (_, servers) => own(servers.to_vec(), host),
    };
    Ok(Wiring {
        mode,
        sandbox: SandboxSpec {
            name: String::new(),
            hostname: config.hostname.clone(),
            link,
            aliases,
            networks: Vec::new(),
            ports: ports(host, config)?,
            service: None,
        },
        hosts: host.extra_hosts.iter().map(|line| hosts_line(line)).collect::<Result<_, _>>()?,
        resolver,
    })
}

fn sandbox_resolver(host: &HostConfig) -> Resolver {
    let mut resolver = own(vec![NAME_SERVER.to_owned()], host);
    if let Resolver::Own { options, .. } = &mut resolver
        && !options.iter().any(|option| option.starts_with("ndots:"))
    {
        options.push("ndots:0".to_owned());
    }
    resolver
}

fn own(nameservers: Vec<String>, host: &HostConfig) -> Resolver {
    Resolver::Own { nameservers, search: host.dns_search.clone(), options: host.dns_options.clone() }
}

/// Reads `name:address`.
fn hosts_line(text: &str) -> Result<HostsLine, ApiError> {
    let (name, address) = text
        .split_once([':', '='])
        .filter(|(name, address)| !name.is_empty() && !address.is_empty())
        .ok_or_else(|| {
            ApiError::invalid(format!("HostConfig.ExtraHosts: bad format for add-host: \"{text}\""))
        })?;
    Ok(HostsLine { address: address.to_owned(), names: vec![name.to_owned()] })
}

/// The ports on the host that were wished, and those of exposed ports if all shall be published.
fn ports(host: &HostConfig, config: &ContainerConfig) -> Result<Vec<HostPort>, ApiError> {
    let mut ports = Vec::new();
    for (text, bindings) in &host.port_bindings {
        let (container_port, protocol) = port(text)?;
        for binding in bindings.iter().flatten() {
            let host_port = match binding.host_port.as_str() {
                "" => 0,
                text => text
                    .parse()
                    .map_err(|_| ApiError::invalid(format!("invalid port specification: \"{text}\"")))?,
            };
            let host_ip = match binding.host_ip.as_str() {
                "" | "::" => Ipv4Addr::UNSPECIFIED,
                text => text.parse().map_err(|_| ApiError::invalid(format!("invalid IP address: {text}")))?,
            };
            ports.push(HostPort { protocol, host_ip, host_port, container_port });
        }
    }
    if host.publish_all_ports {
        for text in config.exposed_ports.keys() {
            let (container_port, protocol) = port(text)?;
            let bound =
                |bound: &HostPort| bound.container_port == container_port && bound.protocol == protocol;
            if !ports.iter().any(bound) {
                ports.push(HostPort {
                    protocol,
                    host_ip: Ipv4Addr::UNSPECIFIED,
                    host_port: 0,
                    container_port,
                });
            }
        }
    }
    Ok(ports)
}

/// Reads `80/tcp`.
fn port(text: &str) -> Result<(u16, Protocol), ApiError> {
    let refuse = || ApiError::invalid(format!("invalid port specification: \"{text}\""));
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return Err(refuse()),
    };
    let number = number.parse().ok().filter(|number| *number != 0).ok_or_else(refuse)?;
    Ok((number, protocol))
}
