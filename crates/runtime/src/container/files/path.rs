//! A path in a container, as a user writes it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

use crate::container::spec;

/// A path in a container: relative ones begin at its root, and `..` never leads above that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// From the root on, without a slash before it; empty for the root.
    pub(super) path: PathBuf,
    /// What archives of it call it: its last part, `.` if its contents are meant, `/` for the root.
    pub(super) name: Vec<u8>,
    /// Whether a link at its end is followed, to a folder.
    follows: bool,
}

impl Wanted {
    /// Reads a path. None is wrong.
    pub(super) fn parse(text: &str) -> Self {
        let clean = spec::clean(&format!("/{text}")).unwrap_or_default();
        let path = PathBuf::from(clean.trim_start_matches('/'));
        let contents = text == "." || text.ends_with("/.");
        let name = match path.file_name() {
            _ if contents => b".".to_vec(),
            Some(name) => name.as_bytes().to_vec(),
            None => b"/".to_vec(),
        };
        let follows = contents || text.ends_with('/') || path.as_os_str().is_empty();
        Self { path, name, follows }
    }

    /// Opens the folder it lies in, and says under which name.
    pub(super) fn open(&self, root: BorrowedFd<'_>) -> io::Result<(OwnedFd, OsString)> {
        match self.path.file_name().filter(|_| !self.follows) {
            Some(name) => {
                let parent = self.path.parent().unwrap_or(Path::new(""));
                Ok((open(root, parent, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?, name.to_owned()))
            }
            None => Ok((self.folder(root, OFlag::O_RDONLY)?, OsStr::new(".").to_owned())),
        }
    }

    /// Opens the folder that it is, or that a link at its end leads to.
    pub(super) fn folder(&self, root: BorrowedFd<'_>, flags: OFlag) -> io::Result<OwnedFd> {
        open(root, &self.path, flags | OFlag::O_DIRECTORY)
    }

    /// The text of the file that it is, at most 1 MiB of it.
    pub(super) fn read(&self, root: BorrowedFd<'_>) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::from(open(root, &self.path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?)
            .take(TEXT_MAX)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Opens a path as one would who has `root` as root.
fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(Mode::empty()).resolve(resolve);
    Ok(openat2(root, path, how)?)
}

const TEXT_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_begin_at_the_root_and_stay_below_it() {
        for (text, path, name, follows) in [
            ("/etc/passwd", "etc/passwd", "passwd", false),
            ("etc", "etc", "etc", false),
            ("/etc/", "etc", "etc", true),
            ("/etc/.", "etc", ".", true),
            ("../../etc/../x", "x", "x", false),
            ("/", "", "/", true),
            ("", "", "/", true),
            (".", "", ".", true),
        ] {
            let wanted = Wanted { path: path.into(), name: name.as_bytes().to_vec(), follows };
            assert_eq!(Wanted::parse(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_leads_above_the_root(text in "(\\.\\.|/|[a-b.]){0,12}") {
            let Wanted { path, .. } = Wanted::parse(&text);
            prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{text}");
        }
    }
}
