//! A container's description, made into the OCI runtime's configuration.
//!
//! In: what is wished ([`Description`]), and what was found out about it ([`Facts`]). Out: the text of
//! `config.json`. Only the devices of the host are looked at; nothing is changed.

pub(crate) mod capabilities;
pub(crate) mod document;
pub(crate) mod filter;
pub(crate) mod resources;
pub(crate) mod seccomp;
pub(crate) mod user;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::container::description::{
    Description, MountAccess, MountSource, NetworkPlace, Sharing, Size, Terminal,
};
use crate::container::error::ContainerError;
use crate::container::id::ContainerId;
use document::{Capabilities, ConsoleSize, Linux, Mount, Namespace, Process, Root, Seccomp, Spec, User};

/// What was found out about a container that is to start.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Its id.
    pub(crate) id: ContainerId,
    /// Who its process is.
    pub(crate) user: User,
    /// Which system calls it may make; absent means all.
    pub(crate) seccomp: Option<Arc<Seccomp>>,
    /// Its network.
    pub(crate) network: NetworkPlace,
    /// Its own `hostname`, `hosts` and `resolv.conf`, by their names.
    pub(crate) etc: PathBuf,
    /// Where each of its mounts comes from, in the order of the description.
    pub(crate) sources: Vec<PathBuf>,
    /// The path of its control group.
    pub(crate) cgroup: String,
    /// Which control groups the host has.
    pub(crate) cgroups: Cgroups,
    /// The small init, if it shall have one.
    pub(crate) init: Option<PathBuf>,
    /// The processes of those containers whose namespaces it shares, as `/proc/N/ns`.
    pub(crate) neighbours: BTreeMap<ContainerId, PathBuf>,
}

/// Which control groups a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// The old ones.
    V1,
    /// The old ones, and the unified one beside them.
    Hybrid,
    /// The unified one.
    V2,
}

/// The configuration of a container.
///
/// # Errors
/// If the description breaks a rule.
pub(crate) fn spec(wish: &Description, facts: Facts) -> Result<Spec, ContainerError> {
    let devices = resources::devices(&wish.confinement)?;
    let resources = resources::resources(&wish.limits, &wish.confinement, &devices)?;
    let privileged = wish.confinement.privileged;
    let namespaces = namespaces(wish, &facts)?;
    let hostname = hostname(wish, facts.id);
    let linux = Linux {
        resources,
        cgroups_path: facts.cgroup.clone(),
        sysctl: sysctls(wish, &facts),
        devices: devices.into_iter().map(|(device, _)| device).collect(),
        seccomp: facts.seccomp.clone().filter(|_| !privileged),
        masked_paths: wish.confinement.masked(),
        readonly_paths: wish.confinement.read_only(),
        rootfs_propagation: rootfs_propagation(wish),
        namespaces,
    };
    Ok(Spec {
        oci_version: "1.0.2",
        mounts: mounts(wish, &facts)?,
        process: process(wish, &facts, &hostname)?,
        root: Root { path: "rootfs".to_owned(), readonly: wish.read_only_root },
        hostname: if wish.shared.uts == Sharing::Own { hostname } else { String::new() },
        annotations: annotations(linux.seccomp.as_deref()),
        linux,
    })
}

/// Rules that are compiled need not be compiled again; of the OCI runtimes, crun takes them.
fn annotations(rules: Option<&document::Seccomp>) -> BTreeMap<&'static str, String> {
    let compiled = rules.and_then(|rules| rules.compiled.clone());
    compiled.map(|compiled| ("run.oci.seccomp_bpf_data", compiled)).into_iter().collect()
}

/// The first process's words: the entrypoint, then the command. A new entrypoint takes the image's command away.
///
/// # Errors
/// If there are none.
pub(crate) fn arguments(wish: &Description) -> Result<Vec<String>, ContainerError> {
    let defaults = &wish.image.defaults;
    let entrypoint = wish.entrypoint.as_ref().unwrap_or(&defaults.entrypoint);
    let command = match (&wish.command, &wish.entrypoint) {
        (Some(command), _) if !command.is_empty() => command.as_slice(),
        (_, None) => &defaults.command,
        (_, Some(_)) => &[],
    };
    let words = [entrypoint.as_slice(), command].concat();
    if words.first().is_none_or(String::is_empty) {
        return Err(ContainerError::Invalid("no command specified".to_owned()));
    }
    Ok(words)
}

/// Its host name: as wished, else the first letters of its id.
pub(crate) fn hostname(wish: &Description, id: ContainerId) -> String {
    if wish.hostname.is_empty() { id.short() } else { wish.hostname.clone() }
}

/// Its environment: the usual, the image's, its own; the later ones replace the earlier.
pub(crate) fn environment(wish: &Description, hostname: &str) -> Vec<String> {
    let mut env = vec![format!("PATH={PATH}"), format!("HOSTNAME={hostname}")];
    if wish.terminal != Terminal::None {
        env.push("TERM=xterm".to_owned());
    }
    for word in wish.image.defaults.env.iter().chain(&wish.env) {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        let is_same = |other: &String| other.split_once('=').is_some_and(|(other, _)| other == name);
        match env.iter().position(is_same) {
            Some(_) if !word.contains('=') => env.retain(|other| !is_same(other)),
            Some(at) => env[at].clone_from(word),
            None if word.contains('=') => env.push(word.clone()),
            None => {}
        }
    }
    env
}

fn process(wish: &Description, facts: &Facts, hostname: &str) -> Result<Process, ContainerError> {
    let confinement = &wish.confinement;
    let granted = capabilities::granted(confinement)?;
    let mut args = arguments(wish)?;
    if facts.init.is_some() {
        args.splice(0..0, [INIT.to_owned(), "--".to_owned()]);
    }
    let cwd = [&wish.working_dir, &wish.image.defaults.working_dir].into_iter().find(|dir| !dir.is_empty());
    Ok(Process {
        terminal: wish.terminal != Terminal::None,
        console_size: console_size(wish.terminal),
        args,
        env: environment(wish, hostname),
        cwd: rooted(cwd.map_or("/", String::as_str)),
        capabilities: for_user(&granted, &facts.user),
        user: facts.user.clone(),
        rlimits: resources::rlimits(&wish.limits.ulimits)?,
        no_new_privileges: confinement.no_new_privileges,
        apparmor_profile: confinement.apparmor.clone(),
        oom_score_adj: wish.limits.oom_score_adj,
    })
}

/// Others than root have no capabilities at first, but may gain those that are granted.
pub(crate) fn for_user(granted: &[&'static str], user: &User) -> Capabilities {
    let own = if user.uid == 0 { granted.to_vec() } else { Vec::new() };
    Capabilities { bounding: granted.to_vec(), effective: own.clone(), permitted: own }
}

/// The first size of a terminal, if it is known.
pub(crate) fn console_size(terminal: Terminal) -> Option<ConsoleSize> {
    match terminal {
        Terminal::None | Terminal::Sized(Size { rows: 0, .. } | Size { columns: 0, .. }) => None,
        Terminal::Sized(Size { rows, columns }) => Some(ConsoleSize { height: rows, width: columns }),
    }
}

fn namespaces(wish: &Description, facts: &Facts) -> Result<Vec<Namespace>, ContainerError> {
    let neighbour = |id: &ContainerId, file: &str| {
        let folder = facts.neighbours.get(id).ok_or_else(|| {
            ContainerError::Conflict(format!("cannot join namespaces of a non running container: {id}"))
        })?;
        Ok::<_, ContainerError>(folder.join(file).to_string_lossy().into_owned())
    };
    let mut list = vec![Namespace { kind: "mount", path: String::new() }];
    match &facts.network {
        NetworkPlace::Isolated => list.push(Namespace { kind: "network", path: String::new() }),
        NetworkPlace::Host => {}
        NetworkPlace::Path(path) => {
            list.push(Namespace { kind: "network", path: path.to_string_lossy().into_owned() });
        }
        NetworkPlace::Container(id) => list.push(Namespace { kind: "network", path: neighbour(id, "net")? }),
    }
    let shared = &wish.shared;
    for (kind, file, sharing) in
        [("pid", "pid", &shared.pid), ("ipc", "ipc", &shared.ipc), ("uts", "uts", &shared.uts)]
    {
        match sharing {
            Sharing::Own => list.push(Namespace { kind, path: String::new() }),
            Sharing::Host => {}
            Sharing::Container(id) => list.push(Namespace { kind, path: neighbour(id, file)? }),
        }
    }
    // The old control groups are shown without a namespace, as Docker does.
    if facts.cgroups == Cgroups::V2 && shared.cgroup == Sharing::Own && !wish.confinement.privileged {
        list.push(Namespace { kind: "cgroup", path: String::new() });
    }
    Ok(list)
}

fn mounts(wish: &Description, facts: &Facts) -> Result<Vec<Mount>, ContainerError> {
    let mut list = usual_mounts(wish);
    for name in ["resolv.conf", "hostname", "hosts"] {
        list.push(bind(&facts.etc.join(name), &format!("/etc/{name}"), &["rbind", "rprivate"]));
    }
    if let Some(init) = &facts.init {
        list.push(bind(init, INIT, &["bind", "ro"]));
    }
    let mut wished: Vec<_> = wish.mounts.iter().zip(&facts.sources).collect();
    // A mount beneath another one must come after it.
    wished.sort_by_key(|(mount, _)| mount.target.matches('/').count());
    for (mount, source) in wished {
        let target = clean(&mount.target).ok_or_else(|| {
            ContainerError::Invalid(format!(
                "invalid mount path: '{}' mount path must be absolute",
                mount.target
            ))
        })?;
        list.retain(|usual| usual.destination != target);
        list.push(one_mount(&mount.source, mount.access, source, target)?);
    }
    Ok(list)
}

fn one_mount(
    source: &MountSource,
    access: MountAccess,
    from: &Path,
    target: String,
) -> Result<Mount, ContainerError> {
    let mut options = match source {
        MountSource::Bind { propagation, non_recursive, .. } => {
            let propagation = if propagation.is_empty() { "rprivate" } else { propagation };
            if !PROPAGATIONS.contains(&propagation) {
                return Err(ContainerError::Invalid(format!("invalid propagation mode: {propagation}")));
            }
            vec![if *non_recursive { "bind" } else { "rbind" }.to_owned(), propagation.to_owned()]
        }
        MountSource::Volume { .. } => vec!["rbind".to_owned(), "rprivate".to_owned()],
        MountSource::Tmpfs { size, mode, options } => {
            let mut list = ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
            // What is said later wins, so that `exec` undoes `noexec`.
            list.extend(options.iter().cloned());
            if *size > 0 {
                list.push(format!("size={size}"));
            }
            if *mode > 0 {
                list.push(format!("mode={mode:o}"));
            }
            list
        }
    };
    // What is mounted beneath cannot be written either, unless only the top is meant: Docker's rule.
    let recursive = options.iter().any(|option| option == "rbind");
    let words: &[&str] = match access {
        MountAccess::Writable => &[],
        MountAccess::ReadOnly if recursive => &["ro", "rro"],
        MountAccess::ReadOnly | MountAccess::ReadOnlyTop => &["ro"],
        MountAccess::ReadOnlyForced => &["rro"],
    };
    options.extend(words.iter().map(|word| (*word).to_owned()));
    let is_tmpfs = matches!(source, MountSource::Tmpfs { .. });
    let (kind, source) = if is_tmpfs { ("tmpfs", "tmpfs".into()) } else { ("bind", from.to_string_lossy()) };
    Ok(Mount { destination: target, kind, source: source.into_owned(), options })
}

fn usual_mounts(wish: &Description) -> Vec<Mount> {
    let mount = |destination: &str, kind: &'static str, source: &str, options: &[&str]| Mount {
        destination: destination.to_owned(),
        kind,
        source: source.to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let access = if wish.confinement.privileged { "rw" } else { "ro" };
    let shm = format!("size={}", if wish.shm_size > 0 { wish.shm_size } else { SHM_SIZE });
    let mut list = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", access]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &[access, "nosuid", "noexec", "nodev"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    list.push(match wish.shared.ipc {
        Sharing::Host => bind(Path::new("/dev/shm"), "/dev/shm", &["rbind", "rprivate"]),
        Sharing::Own | Sharing::Container(_) => {
            mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm])
        }
    });
    list
}

fn bind(source: &Path, target: &str, options: &[&str]) -> Mount {
    Mount {
        destination: target.to_owned(),
        kind: "bind",
        source: source.to_string_lossy().into_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    }
}

fn sysctls(wish: &Description, facts: &Facts) -> BTreeMap<String, String> {
    let mut list = BTreeMap::new();
    let own_network = matches!(facts.network, NetworkPlace::Isolated | NetworkPlace::Path(_));
    if own_network && !wish.confinement.privileged {
        list.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
        list.insert("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned());
    }
    if !wish.domain_name.is_empty() && wish.shared.uts == Sharing::Own {
        list.insert("kernel.domainname".to_owned(), wish.domain_name.clone());
    }
    list.extend(wish.sysctls.clone());
    list
}

/// Mounts come into a container or go out of it only if its root lets them.
fn rootfs_propagation(wish: &Description) -> &'static str {
    let wishes = |words: [&str; 2]| {
        wish.mounts.iter().any(|mount| {
            matches!(&mount.source, MountSource::Bind { propagation, .. } if words.contains(&propagation.as_str()))
        })
    };
    if wishes(["shared", "rshared"]) {
        "shared"
    } else if wishes(["slave", "rslave"]) {
        "rslave"
    } else {
        ""
    }
}

/// An absolute path without `.`, `..` and doubled slashes; `None` if it is not absolute, or the root.
pub(crate) fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

fn rooted(path: &str) -> String {
    clean(&format!("/{path}")).unwrap_or_else(|| "/".to_owned())
}

/// Where the small init shows in a container.
pub(crate) const INIT: &str = "/sbin/docker-init";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHM_SIZE: u64 = 64 << 20;
const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
#[cfg(test)]
mod tests;
