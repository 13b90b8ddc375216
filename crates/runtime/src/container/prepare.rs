//! Puts everything in place that a container needs to start.
//!
//! In: its record. Out: its folders, its own files of `/etc`, its bundle, and the plan for its supervisor. All of
//! it may be done again. This waits for the disk, so it runs where that harms nobody.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::files::{self, Access};

use crate::container::description::{
    Description, MountAccess, MountSource, NetworkPlace, Resolver, SeccompChoice, Sharing, Stdin,
    Surroundings, Terminal,
};
use crate::container::error::{ContainerError, Doing};
use crate::container::ground::Ground;
use crate::container::id::ContainerId;
use crate::container::oci;
use crate::container::rootfs::{Own, RootFs};
use crate::container::spec::document::Seccomp;
use crate::container::spec::user::Accounts;
use crate::container::spec::{self, Facts, capabilities, seccomp};
use crate::container::state::Record;
use crate::logs::options::{Aside, LogPlan};

/// Whether the supervisor starts the process at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// It does.
    AtOnce,
    /// It waits for the word, so that others can attach first.
    Held,
}

/// Puts everything in place, and returns the plan for the supervisor.
pub(crate) fn prepare(
    ground: &Ground,
    record: &Record,
    surroundings: &Surroundings,
    beginning: Beginning,
) -> Result<Vec<String>, ContainerError> {
    let wish = &record.description;
    let oci = ground.oci()?;
    let folder = ground.folder(record.id);
    let run = ground.run_folder(record.id);
    let root = root_of(ground, record);
    make_folders(&folder, &run).doing(|| format!("making the folders of container {}", record.id))?;
    let user = accounts(&root)?.resolve(user_of(wish), &wish.groups)?;
    write_etc(&run, record, surroundings).doing(|| "writing the container's own files of /etc".into())?;
    let facts = Facts {
        id: record.id,
        user,
        seccomp: rules(ground, wish)?,
        network: surroundings.network.clone(),
        etc: run.clone(),
        sources: sources(record)?,
        cgroup: ground.cgroup(record.id),
        cgroups: ground.cgroups,
        init: if wish.init { Some(oci::find_init(ground.config.init.as_deref())?) } else { None },
        neighbours: neighbours(ground, wish, surroundings),
    };
    let text =
        serde_json::to_vec(&spec::spec(&with_tops(wish), facts)?).expect("a configuration is always JSON");
    fs::write(run.join("config.json"), text).doing(|| "writing the container's configuration".into())?;
    plan(ground, record, &oci, beginning)
}

/// A file has nothing beneath it: read-only means its top, and the runtime refuses more.
fn with_tops(wish: &Description) -> Description {
    let mut wish = wish.clone();
    for mount in &mut wish.mounts {
        let MountSource::Bind { path, .. } = &mount.source else { continue };
        if matches!(mount.access, MountAccess::ReadOnly | MountAccess::ReadOnlyForced) && !path.is_dir() {
            mount.access = MountAccess::ReadOnlyTop;
        }
    }
    wish
}

/// The root file system of a container.
pub(crate) fn root_of(ground: &Ground, record: &Record) -> RootFs {
    let folder = ground.folder(record.id);
    let own = Own { upper: folder.join(UPPER), work: folder.join(WORK) };
    let mut layers = record.description.image.layers.clone();
    layers.push(ground.beneath());
    RootFs { layers, own: Some(own) }
}

/// The accounts that a root file system knows.
pub(crate) fn accounts(root: &RootFs) -> Result<Accounts, ContainerError> {
    let text = |path: &str| root.text(path).doing(|| format!("reading the container's /{path}"));
    Ok(Accounts { passwd: text("etc/passwd")?, group: text("etc/group")? })
}

/// The user that is wished: its own, else the image's.
pub(crate) fn user_of(wish: &Description) -> &str {
    if wish.user.is_empty() { &wish.image.defaults.user } else { &wish.user }
}

fn make_folders(folder: &Path, run: &Path) -> io::Result<()> {
    make_own(folder)?;
    files::make_folder(&run.join("rootfs"), Access::Private)?;
    for left in ["socket", "pid", "oci.log", "failure"] {
        files::remove_if_there(&run.join(left))?;
    }
    files::remove_if_there(&folder.join(EXIT_FILE))
}

/// Makes the folders of what a container writes.
pub(crate) fn make_own(folder: &Path) -> io::Result<()> {
    files::make_folder(&folder.join(UPPER), Access::Public)?;
    files::make_folder(&folder.join(WORK), Access::Private)
}

fn rules(ground: &Ground, wish: &Description) -> Result<Option<Arc<Seccomp>>, ContainerError> {
    if wish.confinement.privileged {
        return Ok(None);
    }
    let granted = capabilities::granted(&wish.confinement)?;
    match &wish.confinement.seccomp {
        SeccompChoice::Unconfined => Ok(None),
        SeccompChoice::Profile(text) => Ok(Some(Arc::new(seccomp::rules(text, &granted)?))),
        SeccompChoice::Usual => ground.usual_rules(granted).map(Some),
    }
}

/// Where each mount comes from. Paths of the host must be there, or be made if that is wished.
fn sources(record: &Record) -> Result<Vec<PathBuf>, ContainerError> {
    let mounts = record.description.mounts.iter().zip(&record.mounts);
    let source =
        |(mount, point): (&crate::container::description::Mount, &crate::container::mounts::MountPoint)| {
            if let MountSource::Bind { path, create, .. } = &mount.source {
                if *create && !path.exists() {
                    files::make_folder(path, Access::Public)
                        .doing(|| format!("error while creating mount source path '{}'", path.display()))?;
                }
                if !path.exists() {
                    let text = "invalid mount config for type \"bind\": bind source path does not exist";
                    return Err(ContainerError::Invalid(format!("{text}: {}", path.display())));
                }
            }
            Ok(point.source.clone())
        };
    mounts.map(source).collect()
}

/// The namespaces of those whom it shares some with.
fn neighbours(
    ground: &Ground,
    wish: &Description,
    surroundings: &Surroundings,
) -> BTreeMap<ContainerId, PathBuf> {
    let shared = &wish.shared;
    let mut ids: Vec<ContainerId> = Vec::new();
    for sharing in [&shared.pid, &shared.ipc, &shared.uts, &shared.cgroup] {
        if let Sharing::Container(id) = sharing {
            ids.push(*id);
        }
    }
    if let NetworkPlace::Container(id) = surroundings.network {
        ids.push(id);
    }
    let index = ground.index();
    let namespaces = |id: ContainerId| {
        let running = index.by_id.get(&id)?.record.borrow().running()?;
        Some((id, PathBuf::from(format!("/proc/{}/ns", running.pid))))
    };
    ids.into_iter().filter_map(namespaces).collect()
}

fn write_etc(folder: &Path, record: &Record, surroundings: &Surroundings) -> io::Result<()> {
    let wish = &record.description;
    let hostname = spec::hostname(wish, record.id);
    fs::write(folder.join("hostname"), format!("{hostname}\n"))?;
    let mut hosts = USUAL_HOSTS.to_owned();
    for line in &surroundings.hosts {
        hosts.push_str(&format!("{}\t{}\n", line.address, line.names.join(" ")));
    }
    fs::write(folder.join("hosts"), hosts)?;
    let resolv = match &surroundings.resolver {
        Resolver::Host => fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        Resolver::Own { nameservers, search, options } => {
            let mut text: String =
                nameservers.iter().map(|server| format!("nameserver {server}\n")).collect();
            for (word, list) in [("search", search), ("options", options)] {
                if !list.is_empty() {
                    text.push_str(&format!("{word} {}\n", list.join(" ")));
                }
            }
            text
        }
    };
    fs::write(folder.join("resolv.conf"), resolv)
}

fn plan(
    ground: &Ground,
    record: &Record,
    oci: &oci::Oci,
    beginning: Beginning,
) -> Result<Vec<String>, ContainerError> {
    let folder = ground.folder(record.id);
    let (base, lower) = root_of(ground, record).lower();
    let mut words = call_words(ground, oci, record.id);
    let mut set = |key: &str, value: &str| words.push(format!("{key}={value}"));
    set("base", &base.to_string_lossy());
    set("lower", &lower);
    set("upper", &folder.join(UPPER).to_string_lossy());
    set("work", &folder.join(WORK).to_string_lossy());
    set("exit-file", &folder.join(EXIT_FILE).to_string_lossy());
    set("oom-file", &ground.oom_file(record.id).to_string_lossy());
    if record.description.terminal != Terminal::None {
        set("tty", "yes");
    }
    match record.description.stdin {
        Stdin::Closed => {}
        Stdin::Open => set("stdin", "open"),
        Stdin::Once => set("stdin", "once"),
    }
    if beginning == Beginning::Held {
        set("held", "yes");
    }
    let log = record.description.log.plan().map_err(|error| ContainerError::Invalid(error.to_string()))?;
    if let LogPlan::File { size_max, files_max, aside } = log {
        set("log", &log_file(&folder, record.id).to_string_lossy());
        set("log-size-max", &size_max.unwrap_or(0).to_string());
        set("log-files-max", &files_max.to_string());
        if aside == Aside::Compressed {
            set("log-compressed", "yes");
        }
    }
    Ok(words)
}

/// The words with which every plan begins.
pub(crate) fn call_words(ground: &Ground, oci: &oci::Oci, id: ContainerId) -> Vec<String> {
    let mut words = vec![
        format!("runtime={}", oci.program.display()),
        format!("root={}", ground.oci_root().display()),
        format!("id={id}"),
    ];
    words.extend(ground.sealed(oci).map(|copy| format!("sealed={}", copy.path().display())));
    words.extend(oci.hide.map(|mount| format!("hide={mount}")));
    words
}

/// Fills a volume that is empty with what the image has where it shows, as Docker does.
pub(crate) fn fill_volume(root: &RootFs, target: &str, volume: &Path) -> io::Result<()> {
    if fs::read_dir(volume)?.next().is_some() {
        return Ok(());
    }
    let (target, volume) = (target.trim_start_matches('/').to_owned(), volume.to_owned());
    let image = RootFs { layers: root.layers.clone(), own: None };
    image.within(move |root| {
        match crate::container::rootfs::open_in_root(root, &target) {
            Ok(folder) if folder.metadata()?.is_dir() => {
                use std::os::fd::AsRawFd;
                // Through the descriptor: no link on the way there is followed a second time. Only this thread
                // sees the mount, so the copy must be made by it.
                copy_folder(Path::new(&format!("/proc/thread-self/fd/{}", folder.as_raw_fd())), &volume)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    })?
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(from)?;
    chown(to, Some(found.uid()), Some(found.gid()))?;
    fs::set_permissions(to, found.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let found = entry.metadata()?;
        if found.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&source, &target)?;
        } else if found.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
            std::os::unix::fs::lchown(&target, Some(found.uid()), Some(found.gid()))?;
        } else if found.is_file() {
            fs::copy(&source, &target)?;
            chown(&target, Some(found.uid()), Some(found.gid()))?;
        }
    }
    Ok(())
}

/// The file of a container's log.
pub(crate) fn log_file(folder: &Path, id: ContainerId) -> PathBuf {
    folder.join(format!("{id}-json.log"))
}

/// The folder of what a container wrote.
pub(crate) const UPPER: &str = "upper";
/// The folder that the kernel wants beside it.
pub(crate) const WORK: &str = "work";
/// The file where a supervisor writes how its process ended.
pub(crate) const EXIT_FILE: &str = "exit";
const USUAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                           fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n\
                           ff02::2\tip6-allrouters\n";
