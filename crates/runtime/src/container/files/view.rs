//! A container's files as its own processes see them, or would see them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{OFlag, ResolveFlag, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use tokio::sync::OwnedMutexGuard;

use crate::container::ground::{Ground, Handle};
use crate::container::id::ContainerId;
use crate::container::mounts::{MountKind, MountPoint};
use crate::container::prepare;
use crate::container::state::Record;
use crate::tape::unpack::make_folders;

/// A way to a container's files.
pub(super) enum View {
    /// Its process runs: through its root, with all that is mounted there.
    Running(ContainerId, u32),
    /// Nothing runs: they are mounted for whoever looks. It cannot start meanwhile, since two must not mount what it
    /// wrote.
    Mounted(Arc<Ground>, Arc<Record>, OwnedMutexGuard<()>),
}

impl View {
    /// The way to the files of a container, as it is now.
    pub(super) async fn of(ground: &Arc<Ground>, handle: Handle) -> Self {
        let alone = Arc::clone(&handle.files).lock_owned().await;
        let record = Arc::clone(&handle.record.borrow());
        match record.running() {
            Some(running) => Self::Running(record.id, running.pid),
            None => Self::Mounted(Arc::clone(ground), record, alone),
        }
    }

    /// Hands the root of the files to `look`. Blocks as long as that does.
    pub(super) fn look<T: Send + 'static>(
        self,
        look: impl FnOnce(OwnedFd) -> T + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Self::Running(id, pid) => Ok(look(root_of(id, pid)?)),
            Self::Mounted(ground, record, _alone) => {
                prepare::make_own(&ground.folder(record.id))?;
                let root = prepare::root_of(&ground, &record);
                let looked = root.within(move |root| {
                    let opened = OwnedFd::from(File::open(root)?);
                    record.mounts.iter().try_for_each(|point| show(&opened, point))?;
                    if record.description.read_only_root {
                        remount_read_only(root)?;
                    }
                    Ok(look(opened))
                });
                looked?
            }
        }
    }
}

/// The root of a container's process. That it is the container's is asked of the very process that is then used, whose
/// number may have been given to another meanwhile.
fn root_of(id: ContainerId, pid: u32) -> io::Result<OwnedFd> {
    let process = File::open(format!("/proc/{pid}"))?;
    let mut groups = String::new();
    let file = openat(&process, "cgroup", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    File::from(file).read_to_string(&mut groups)?;
    if !groups.contains(&id.to_string()) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(openat(&process, "root", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Mounts a folder or file of the host where the container will see it. What is in memory is not there yet.
fn show(root: &OwnedFd, point: &MountPoint) -> io::Result<()> {
    if point.kind == MountKind::Tmpfs || !point.source.is_dir() {
        return Ok(());
    }
    let target = Path::new(point.target.trim_start_matches('/'));
    let folder = make_folders(root.as_fd(), target, ResolveFlag::RESOLVE_IN_ROOT)?;
    let here = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let nothing = None::<&str>;
    mount(Some(&point.source), &here, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)?;
    if point.writable {
        return Ok(());
    }
    let mounted = make_folders(root.as_fd(), target, ResolveFlag::RESOLVE_IN_ROOT)?;
    remount_read_only(Path::new(&format!("/proc/self/fd/{}", mounted.as_raw_fd())))
}

fn remount_read_only(path: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    Ok(mount(None::<&str>, path, None::<&str>, flags, None::<&str>)?)
}
