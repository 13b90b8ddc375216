//! Network namespaces that stay although nobody is in them.
//!
//! In: paths. Out: namespaces pinned to them. A thread that goes into a namespace comes back before it does anything
//! else; one that cannot come back ends, since all it did from then on would happen in a stranger's network.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

/// The network namespace a thread calls its own.
pub(crate) struct Home(File);

impl Home {
    /// The thread's present namespace.
    pub(crate) fn here() -> io::Result<Self> {
        File::open(PRESENT).map(Self)
    }

    /// Makes a namespace, pins it to a path, does something in it, and comes back.
    pub(crate) fn make<T>(&self, path: &Path, inside: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        File::create(path)?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let made = pin(path).and_then(|namespace| inside(&namespace));
        self.come_back();
        made.inspect_err(|_| {
            // The reason that counts is the first one; what is left over goes when the daemon starts again.
            let _ = remove(path);
        })
    }

    /// Does something in the namespace pinned to a path, and comes back.
    pub(crate) fn visit<T>(&self, path: &Path, inside: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let namespace = File::open(path)?;
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        let done = inside();
        self.come_back();
        done
    }

    fn come_back(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("a thread may always go back to where it came from");
    }
}

/// Unpins a namespace; it ends when nobody is in it any more. It need not be there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // Not pinned, as after a reboot, or not there at all.
        Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn pin(path: &Path) -> io::Result<File> {
    mount(Some(PRESENT), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    File::open(path)
}

/// Always the namespace of the thread that opens it, not of the process.
const PRESENT: &str = "/proc/thread-self/ns/net";
