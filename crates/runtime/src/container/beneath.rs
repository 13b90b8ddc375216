//! What lies beneath every image: the places that are mounted over, and the marks of a container.
//!
//! In: a folder. Out: the same folder with that in it, to be the lowest layer of every root file system. An image's
//! own files lie above it. Without it the OCI runtime would make each of these places anew in each container.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use host::files::{Access, make_folder};

/// Where the OCI runtime mounts something in any case.
const FOLDERS: [&str; 4] = ["dev", "etc", "proc", "sys"];
/// Files that are mounted over, and `.dockerenv`, by which programs see that they are in a container.
const FILES: [&str; 4] = [".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// Makes what is not there yet.
pub(crate) fn make(root: &Path) -> io::Result<()> {
    for name in FOLDERS {
        make_folder(&root.join(name), Access::Public)?;
    }
    for name in FILES {
        File::options().create(true).append(true).open(root.join(name))?;
    }
    let mtab = root.join("etc/mtab");
    if fs::symlink_metadata(&mtab).is_err() {
        symlink("/proc/mounts", mtab)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        make(folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("etc/hosts")).unwrap(), b"");
        assert_eq!(fs::read_link(folder.path().join("etc/mtab")).unwrap(), Path::new("/proc/mounts"));
    }
}
