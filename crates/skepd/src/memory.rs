//! Folders whose content is only ever in memory.
//!
//! In: a folder. Out: the same folder, on a file system in memory.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// Puts a file system in memory on a folder that is on a disk. It keeps its mode.
pub(crate) fn ensure(folder: &Path) -> io::Result<()> {
    if statfs(folder)?.filesystem_type() == TMPFS_MAGIC {
        return Ok(());
    }
    let mode = folder.metadata()?.permissions().mode() & 0o777;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some(format!("mode={mode:o}").as_str()))?;
    Ok(())
}
