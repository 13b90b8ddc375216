//! What is at a path in a container.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use model::Timestamp;
use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::{SFlag, fstatat};

use super::path::Wanted;
use crate::tape::writer::is_the_kernels;

/// What is at a path in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStat {
    /// The last part of the path.
    pub name: String,
    /// In bytes.
    pub size: i64,
    /// Kind and permissions, as the kernel writes them.
    pub mode: u32,
    /// When its contents changed last.
    pub modified: Timestamp,
    /// Where it leads to in the end, from the root on, if it is a link; else empty.
    pub link_target: String,
}

/// What is at a path below this root.
pub(super) fn of(root: BorrowedFd<'_>, wanted: &Wanted) -> io::Result<PathStat> {
    let (folder, entry) = wanted.open(root)?;
    if is_the_kernels(folder.as_fd())? {
        // What the kernel shows there belongs to no container, and may be endless.
        return Err(io::ErrorKind::NotFound.into());
    }
    let found = fstatat(folder.as_fd(), entry.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let is_link = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK;
    let target = if is_link { end_of_links(root, &wanted.path) } else { PathBuf::new() };
    Ok(PathStat {
        name: String::from_utf8_lossy(&wanted.name).into_owned(),
        size: found.st_size,
        mode: found.st_mode,
        modified: Timestamp::from_parts(found.st_mtime, i32::try_from(found.st_mtime_nsec).unwrap_or(0)),
        link_target: target.display().to_string(),
    })
}

/// Where a path leads when all links on it are followed, for people to read: nothing is opened by it.
fn end_of_links(root: BorrowedFd<'_>, path: &Path) -> PathBuf {
    let mut so_far = PathBuf::new();
    let mut ahead: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            so_far.pop();
            continue;
        }
        let next = so_far.join(&name);
        match Wanted::parse(&next.to_string_lossy())
            .open(root)
            .map(|(folder, name)| readlinkat(folder, &*name))
        {
            Ok(Ok(target)) if links < LINKS_MAX => {
                links += 1;
                let target = PathBuf::from(target);
                if target.is_absolute() {
                    so_far = PathBuf::new();
                }
                names(&target).rev().for_each(|name| ahead.push_front(name));
            }
            _ => so_far = next,
        }
    }
    Path::new("/").join(so_far)
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name)
}

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_on_within_the_root() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("run/lock")).unwrap();
        fs::create_dir(folder.path().join("var")).unwrap();
        for (name, target) in [
            ("var/run", "/run"),
            ("var/up", "../../../run"),
            ("two", "var/run/lock"),
            ("loop", "loop"),
            ("gone", "x/y"),
        ] {
            symlink(target, folder.path().join(name)).unwrap();
        }
        let root = File::open(folder.path()).unwrap();
        for (path, target) in [
            ("var/run", "/run"),
            ("var/up", "/run"),
            ("two", "/run/lock"),
            ("gone", "/x/y"),
            ("run/lock", ""),
        ] {
            assert_eq!(of(root.as_fd(), &Wanted::parse(path)).unwrap().link_target, target, "{path}");
        }
        assert_eq!(of(root.as_fd(), &Wanted::parse("loop")).unwrap().link_target, "/loop");
        assert_eq!(of(root.as_fd(), &Wanted::parse("/etc")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
