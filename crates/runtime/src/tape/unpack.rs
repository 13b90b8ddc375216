//! Unpacks an archive: the one of a layer into a folder that an overlay can stand on, or any into a container.
//!
//! Owners, modes, times, attributes, links and devices are as the archive says. Deletions in a layer become what
//! overlayfs understands: a removed file is a character device 0:0, a folder that hides what is below it has the attribute
//! `trusted.overlay.opaque`. A name from the root on means the place where the archive goes, as in Docker.
//!
//! Nothing is written outside the root: every parent is opened by the kernel beneath it, and the last name is never
//! followed. Links on the way that lead out are refused in a layer; in a container they lead where they would lead its
//! own processes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, fstatat, futimens, makedev, mkdirat, mknodat,
    utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat};

use crate::tape::{MalformedTape, Tape, TapeEntry, TapeKind, malformed};

/// Unpacks the archive of a layer into this folder, which must be empty. Tells the bytes of its files.
pub(crate) fn unpack<R: Read>(tape: &mut Tape<R>, folder: &Path, entries_max: u64) -> io::Result<u64> {
    unpack_all(Unpacking::new(File::open(folder)?.into(), PathBuf::new(), Goal::Layer), tape, entries_max)
}

/// Unpacks an archive into a folder of a container, whose root this is.
pub(crate) fn unpack_into<R: Read>(
    tape: &mut Tape<R>,
    (root, folder): (OwnedFd, PathBuf),
    rules: Rules,
    entries_max: u64,
) -> io::Result<u64> {
    unpack_all(Unpacking::new(root, folder, Goal::Container(rules)), tape, entries_max)
}

fn unpack_all<R: Read>(mut layer: Unpacking, tape: &mut Tape<R>, entries_max: u64) -> io::Result<u64> {
    let mut entries = 0;
    while let Some(entry) = tape.next()? {
        entries += 1;
        if entries > entries_max {
            return Err(malformed(&format!("it has more than {entries_max} entries")));
        }
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        layer.take(entry, tape).map_err(|error| about(&name, error))?;
    }
    layer.finish()?;
    Ok(layer.bytes)
}

/// What becomes of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// A layer: it can delete what is in those below.
    Layer,
    /// Files of a container.
    Container(Rules),
}

/// How files are put into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether a folder may take the place of something else, and the other way round.
    pub(crate) clash: Clash,
    /// Whose the files are; absent means as the archive says.
    pub(crate) owner: Option<(u32, u32)>,
}

/// Whether a folder may take the place of something else, and the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clash {
    /// It may.
    #[default]
    Allowed,
    /// That is refused.
    Refused,
}

struct Unpacking {
    root: OwnedFd,
    /// Where below the root the archive goes.
    base: PathBuf,
    goal: Goal,
    /// The parent of the last entry: archives go folder by folder.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Folders get their times at the end, since writing into them changes these.
    times: Vec<(PathBuf, (i64, i64))>,
    bytes: u64,
    /// Carries the bytes of files, so that not each file asks for memory of its own.
    buffer: Vec<u8>,
}

/// What stood where an entry goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A deletion of something in the layers below.
    Whiteout,
    Folder,
}

impl Unpacking {
    fn new(root: OwnedFd, base: PathBuf, goal: Goal) -> Self {
        let buffer = vec![0; 64 << 10];
        Self { root, base, goal, parent: None, times: Vec::new(), bytes: 0, buffer }
    }

    fn take<R: Read>(&mut self, mut entry: TapeEntry, data: &mut Tape<R>) -> io::Result<()> {
        if let Goal::Container(Rules { owner: Some((user, group)), .. }) = self.goal {
            (entry.uid, entry.gid) = (user, group);
        }
        let path = self.base.join(clean(&entry.path)?);
        if path == self.base {
            return self.root_entry(&entry);
        }
        let name = path.file_name().expect("only the base has no name");
        let parent_path = path.parent().unwrap_or(Path::new(""));
        self.enter(parent_path)?;
        if self.goal == Goal::Layer
            && let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT)
        {
            return self.whiteout(OsStr::from_bytes(hidden));
        }
        let before = self.make_room(name, &entry.kind)?;
        let parent = self.parent();
        match &entry.kind {
            TapeKind::Folder => self.folder(&path, &entry, before)?,
            TapeKind::File(_) => self.file(name, &entry, data)?,
            TapeKind::Symlink(target) => {
                symlinkat(OsStr::from_bytes(target), parent, name)?;
                dress(parent, name, &entry)?;
            }
            TapeKind::Link(target) => self.link(&self.base.join(clean(target)?), name)?,
            TapeKind::CharDevice(major, minor) => {
                node(parent, name, SFlag::S_IFCHR, (&entry, *major, *minor))?
            }
            TapeKind::BlockDevice(major, minor) => {
                node(parent, name, SFlag::S_IFBLK, (&entry, *major, *minor))?
            }
            TapeKind::Fifo => node(parent, name, SFlag::S_IFIFO, (&entry, 0, 0))?,
        }
        Ok(())
    }

    /// The archive may speak of the place itself where it goes.
    fn root_entry(&mut self, entry: &TapeEntry) -> io::Result<()> {
        if entry.kind != TapeKind::Folder {
            return Err(malformed("an entry has no name"));
        }
        dress(self.beneath(&self.base)?.as_fd(), OsStr::new("."), entry)?;
        self.times.push((self.base.clone(), entry.modified));
        Ok(())
    }

    fn folder(&mut self, path: &Path, entry: &TapeEntry, before: Before) -> io::Result<()> {
        let name = path.file_name().expect("only the root has no name");
        if before != Before::Folder {
            mkdirat(self.parent(), name, Mode::from_bits_truncate(0o700))?;
        }
        dress(self.parent(), name, entry)?;
        if before == Before::Whiteout {
            // It was removed and made anew in one layer: what is below it stays hidden.
            make_opaque(self.beneath(path)?.as_fd())?;
        }
        self.times.push((path.to_owned(), entry.modified));
        Ok(())
    }

    fn file<R: Read>(&mut self, name: &OsStr, entry: &TapeEntry, data: &mut Tape<R>) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let parent = self.parent.as_ref().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd());
        let mut file = File::from(openat(parent, name, flags, Mode::from_bits_truncate(0o600))?);
        loop {
            let read = data.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            file.write_all(&self.buffer[..read])?;
            self.bytes += read as u64;
        }
        dress(parent, name, entry)
    }

    fn link(&self, target: &Path, name: &OsStr) -> io::Result<()> {
        let Some(target_name) = target.file_name() else { return Err(malformed("a link leads to the root")) };
        let folder = self.beneath(target.parent().unwrap_or(Path::new("")))?;
        let linked = linkat(folder.as_fd(), target_name, self.parent(), name, AtFlags::empty());
        linked.map_err(|errno| match errno {
            Errno::ENOENT => malformed(&format!("it links to {}, which is not there", target.display())),
            other => other.into(),
        })
    }

    /// Hides what layers below have under this name.
    fn whiteout(&mut self, hidden: &OsStr) -> io::Result<()> {
        let parent = self.parent();
        if hidden == ".wh..opq" {
            return make_opaque(parent);
        }
        if hidden.as_bytes().starts_with(WHITEOUT) {
            return Ok(()); // notes of a union file system of old, which Docker passes over too
        }
        if hidden.is_empty() || hidden == "." || hidden == ".." {
            return Err(malformed("it removes nothing by name"));
        }
        match mknodat(parent, hidden, SFlag::S_IFCHR, Mode::empty(), 0) {
            // The layer has brought it already; only what is below is to be hidden.
            Err(Errno::EEXIST) => match openat(parent, hidden, FOLDER, Mode::empty()) {
                Ok(folder) => make_opaque(folder.as_fd()),
                Err(_) => Ok(()),
            },
            made => Ok(made?),
        }
    }

    /// Clears the place of an entry; a later one of the same name wins, but folders are merged.
    fn make_room(&mut self, name: &OsStr, kind: &TapeKind) -> io::Result<Before> {
        let parent = self.parent();
        let found = match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::ENOENT) => return Ok(Before::Nothing),
            Err(errno) => return Err(errno.into()),
        };
        let found_kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        if found_kind == SFlag::S_IFDIR {
            if *kind == TapeKind::Folder {
                return Ok(Before::Folder);
            }
            if self.refuses_clashes() {
                return Err(malformed("cannot overwrite a directory with a non-directory"));
            }
            std::fs::remove_dir_all(by_descriptor(parent, name))?;
            return Ok(Before::Nothing);
        }
        if *kind == TapeKind::Folder && self.refuses_clashes() {
            return Err(malformed("cannot overwrite a non-directory with a directory"));
        }
        unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
        let whiteout = found_kind == SFlag::S_IFCHR && found.st_rdev == 0;
        Ok(if whiteout && self.goal == Goal::Layer { Before::Whiteout } else { Before::Nothing })
    }

    fn refuses_clashes(&self) -> bool {
        matches!(self.goal, Goal::Container(Rules { clash: Clash::Refused, .. }))
    }

    /// Opens the parent of the next entry, and makes the folders that the archive left out.
    fn enter(&mut self, path: &Path) -> io::Result<()> {
        if self.parent.as_ref().is_some_and(|(known, _)| known == path) {
            return Ok(());
        }
        let opened = match self.beneath(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folders(self.root.as_fd(), path, self.resolve())?
            }
            opened => opened?,
        };
        self.parent = Some((path.to_owned(), opened));
        Ok(())
    }

    fn beneath(&self, path: &Path) -> io::Result<OwnedFd> {
        beneath(self.root.as_fd(), path, self.resolve())
    }

    fn resolve(&self) -> ResolveFlag {
        match self.goal {
            Goal::Layer => ResolveFlag::RESOLVE_BENEATH,
            Goal::Container(_) => ResolveFlag::RESOLVE_IN_ROOT,
        }
    }

    fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_ref().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd())
    }

    fn finish(&mut self) -> io::Result<()> {
        for (path, modified) in std::mem::take(&mut self.times).into_iter().rev() {
            match self.beneath(&path) {
                Ok(folder) => futimens(&folder, &spec(modified), &spec(modified))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The path within the layer, without `.` and leading slashes.
fn clean(path: &[u8]) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(malformed("it leads out of the archive by \"..\"")),
            part if part.contains(&0) => return Err(malformed("its name has a zero byte")),
            part => clean.push(OsStr::from_bytes(part)),
        }
    }
    Ok(clean)
}

/// Makes all folders of a path that are not there, and opens the last. No link leads out of the root.
pub(crate) fn make_folders(root: BorrowedFd<'_>, path: &Path, resolve: ResolveFlag) -> io::Result<OwnedFd> {
    let mut folder = root.try_clone_to_owned()?;
    let mut so_far = PathBuf::new();
    for name in path {
        let mode = Mode::from_bits_truncate(0o755);
        match mkdirat(folder.as_fd(), name, mode) {
            Ok(()) => fchmodat(folder.as_fd(), name, mode, FchmodatFlags::FollowSymlink)?,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        so_far.push(name);
        folder = beneath(root, &so_far, resolve)?;
    }
    Ok(folder)
}

/// Opens a folder beneath the root; the kernel sees to it that no link leads out.
fn beneath(root: BorrowedFd<'_>, path: &Path, resolve: ResolveFlag) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    openat2(root, path, OpenHow::new().flags(FOLDER & !OFlag::O_NOFOLLOW).resolve(resolve)).map_err(|errno| {
        match errno {
            Errno::EXDEV | Errno::ELOOP => malformed("it leads out of the archive by a symbolic link"),
            Errno::ENOTDIR => malformed("it lies below something that is no folder"),
            other => other.into(),
        }
    })
}

fn node(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    kind: SFlag,
    (entry, major, minor): (&TapeEntry, u32, u32),
) -> io::Result<()> {
    mknodat(parent, name, kind, Mode::from_bits_truncate(0o600), makedev(major.into(), minor.into()))?;
    dress(parent, name, entry)
}

/// Gives an entry its owner, mode, attributes and time, in the order in which one does not undo another.
fn dress(parent: BorrowedFd<'_>, name: &OsStr, entry: &TapeEntry) -> io::Result<()> {
    let (owner, group) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    fchownat(parent, name, Some(owner), Some(group), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if !matches!(entry.kind, TapeKind::Symlink(_)) {
        fchmodat(parent, name, Mode::from_bits_truncate(entry.mode), FchmodatFlags::FollowSymlink)?;
    }
    for (key, value) in &entry.attributes {
        attribute(parent, name, (key, value))?;
    }
    let time = spec(entry.modified);
    Ok(utimensat(parent, name, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// What overlayfs itself reads is not for archives to say. What this file system cannot hold is left out, as Docker does.
fn attribute(parent: BorrowedFd<'_>, name: &OsStr, (key, value): (&[u8], &[u8])) -> io::Result<()> {
    if key.starts_with(b"trusted.") || key.contains(&0) {
        return Ok(());
    }
    match xattr::set(by_descriptor(parent, name), OsStr::from_bytes(key), value) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM)) => Ok(()),
        set => set,
    }
}

fn make_opaque(folder: BorrowedFd<'_>) -> io::Result<()> {
    xattr::set(by_descriptor(folder, OsStr::new(".")), "trusted.overlay.opaque", b"y")
}

/// A path to what an open folder contains, for calls that know no descriptors.
fn by_descriptor(folder: BorrowedFd<'_>, name: &OsStr) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}

fn spec((seconds, nanos): (i64, i64)) -> TimeSpec {
    TimeSpec::new(seconds, nanos)
}

/// Says of which entry an error speaks.
fn about(name: &str, error: io::Error) -> io::Error {
    let name: String = name.chars().take(200).collect();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<MalformedTape>()) {
        Some(found) => malformed(&format!("entry \"{name}\": {}", found.0)),
        None => io::Error::new(error.kind(), format!("unpacking \"{name}\": {error}")),
    }
}

const WHITEOUT: &[u8] = b".wh.";
const FOLDER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
