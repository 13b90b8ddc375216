//! Writes folders and files as an archive.
//!
//! In: an open folder, and which of its entries. Out: the archive, piece by piece. Names, owners, modes, times, links and
//! capabilities of files are kept; what cannot be named in the plain form of an archive goes into extended headers. A
//! file that shrinks meanwhile is filled with zeros, since its length was told before. No link is followed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat, major, minor};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, PROC_SUPER_MAGIC, fstatfs};
use tar::{Builder, EntryType, Header};

/// How far an archive goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Into what is mounted below, but not into what the kernel shows there, nor to devices there: `/proc`, `/sys` and
    /// `/dev` are every container's, and no files of its own.
    Mounts,
    /// Not beyond the file system it begins in: what others are mounted on is written as if it were empty.
    OneFileSystem,
}

/// An archive that is being written.
pub(crate) struct TapeWriter<W: Write> {
    out: Builder<W>,
    reach: Reach,
    /// The file system where it begins.
    home: Option<u64>,
    /// Files with several names that were written, by device and number.
    written: BTreeMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> TapeWriter<W> {
    pub(crate) fn new(out: W, reach: Reach) -> Self {
        Self { out: Builder::new(out), reach, home: None, written: BTreeMap::new() }
    }

    /// Takes what is elsewhere than this root for mounted, wherever the archive begins.
    pub(crate) fn of_root(mut self, root: BorrowedFd<'_>) -> io::Result<Self> {
        self.home = Some(fstat(root)?.st_dev);
        Ok(self)
    }

    /// Ends the archive.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.out.into_inner()?.flush()
    }

    /// Writes an entry of a folder under this name, and all that is below it.
    pub(crate) fn add(&mut self, folder: BorrowedFd<'_>, entry: &OsStr, name: &[u8]) -> io::Result<()> {
        let found = match fstatat(folder, entry, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Ok(()), // it vanished since it was listed
            found => found?,
        };
        match SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => self.folder((folder, entry), name, &found),
            SFlag::S_IFREG => self.file((folder, entry), name, &found),
            SFlag::S_IFLNK => {
                let target = readlinkat(folder, entry)?;
                self.bare(EntryType::Symlink, name, &found, target.as_bytes())
            }
            SFlag::S_IFCHR | SFlag::S_IFBLK if self.home.is_some_and(|home| home != found.st_dev) => Ok(()),
            SFlag::S_IFCHR => self.bare(EntryType::Char, name, &found, b""),
            SFlag::S_IFBLK => self.bare(EntryType::Block, name, &found, b""),
            SFlag::S_IFIFO => self.bare(EntryType::Fifo, name, &found, b""),
            _ => Ok(()), // a socket is nothing without its process
        }
    }

    /// Writes all that is in a folder, with this before each name.
    pub(crate) fn add_contents(&mut self, folder: OwnedFd, prefix: &[u8]) -> io::Result<()> {
        let listed = folder.try_clone()?;
        for entry in entries(listed)? {
            self.add(folder.as_fd(), &entry, &[prefix, entry.as_bytes()].concat())?;
        }
        Ok(())
    }

    fn folder(
        &mut self,
        (parent, entry): (BorrowedFd<'_>, &OsStr),
        name: &[u8],
        found: &FileStat,
    ) -> io::Result<()> {
        let prefix = if name.ends_with(b"/") { name.to_vec() } else { [name, b"/"].concat() };
        self.bare(EntryType::Directory, &prefix, found, b"")?;
        match self.open(parent, entry, OFlag::O_DIRECTORY) {
            Ok(folder) if is_the_kernels(folder.as_fd())? => Ok(()),
            Ok(folder) => self.add_contents(folder, &prefix),
            Err(Errno::EXDEV | Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn file(
        &mut self,
        (parent, entry): (BorrowedFd<'_>, &OsStr),
        name: &[u8],
        found: &FileStat,
    ) -> io::Result<()> {
        let number = (found.st_dev, found.st_ino);
        if let Some(first) = self.written.get(&number) {
            let first = first.clone();
            return self.bare(EntryType::Link, name, found, &first);
        }
        let file = match self.open(parent, entry, OFlag::O_NONBLOCK) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EXDEV) => return self.write(name, found, (0, io::empty())),
            Err(errno) => return Err(errno.into()),
        };
        let found = fstat(&file)?;
        if found.st_nlink > 1 {
            self.written.insert(number, name.to_vec());
        }
        if let Some(capability) = capability(&file) {
            self.out.append_pax_extensions([("SCHILY.xattr.security.capability", capability.as_slice())])?;
        }
        let size = u64::try_from(found.st_size).unwrap_or(0);
        self.write(name, &found, (size, file))
    }

    /// A file of exactly so many bytes.
    fn write(&mut self, name: &[u8], found: &FileStat, (size, file): (u64, impl Read)) -> io::Result<()> {
        let mut header = header(EntryType::Regular, found);
        header.set_size(size);
        self.name(&mut header, name, b"")?;
        self.out.append(&header, file.chain(io::repeat(0)).take(size))
    }

    /// An entry without bytes.
    fn bare(&mut self, kind: EntryType, name: &[u8], found: &FileStat, link: &[u8]) -> io::Result<()> {
        let mut header = header(kind, found);
        self.name(&mut header, name, link)?;
        self.out.append(&header, io::empty())
    }

    /// Puts names into a header, or before it if they are too long for it.
    fn name(&mut self, header: &mut Header, name: &[u8], link: &[u8]) -> io::Result<()> {
        let old = header.as_old_mut();
        let mut extensions = Vec::new();
        for (field, value, key) in [(&mut old.name, name, "path"), (&mut old.linkname, link, "linkpath")] {
            let fits = value.len().min(field.len());
            field[..fits].copy_from_slice(&value[..fits]);
            if fits < value.len() {
                extensions.push((key, value));
            }
        }
        header.set_cksum();
        if extensions.is_empty() { Ok(()) } else { self.out.append_pax_extensions(extensions) }
    }

    fn open(&self, parent: BorrowedFd<'_>, entry: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let resolve = match self.reach {
            Reach::Mounts => resolve,
            Reach::OneFileSystem => resolve | ResolveFlag::RESOLVE_NO_XDEV,
        };
        openat2(parent, entry, OpenHow::new().flags(flags).resolve(resolve))
    }
}

/// Whether the kernel shows something of its own in a folder, rather than files that somebody wrote.
pub(crate) fn is_the_kernels(folder: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = fstatfs(folder)?.filesystem_type();
    Ok([
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC,
        MQUEUE_MAGIC,
    ]
    .contains(&kind))
}

const SYSFS_MAGIC: FsType = FsType(0x6265_6572);
const DEVPTS_SUPER_MAGIC: FsType = FsType(0x1cd1);
const MQUEUE_MAGIC: FsType = FsType(0x1980_0202);

fn entries(folder: OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(folder)?.iter() {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn header(kind: EntryType, found: &FileStat) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(found.st_mode & !SFlag::S_IFMT.bits());
    header.set_uid(found.st_uid.into());
    header.set_gid(found.st_gid.into());
    header.set_mtime(u64::try_from(found.st_mtime).unwrap_or(0));
    header.set_size(0);
    if matches!(kind, EntryType::Char | EntryType::Block) {
        let number = |value: u64| u32::try_from(value).unwrap_or(0);
        // A header of this kind has room for both.
        let _ = header.set_device_major(number(major(found.st_rdev)));
        let _ = header.set_device_minor(number(minor(found.st_rdev)));
    }
    header
}

/// What a program in a file may do beyond its user's rights, if anything.
fn capability(file: &File) -> Option<Vec<u8>> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    xattr::get_deref(path, "security.capability").ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use crate::tape::unpack::unpack;
    use crate::tape::{Tape, TapeKind};

    use super::*;

    fn archive(folder: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = TapeWriter::new(&mut bytes, Reach::Mounts);
        writer.add_contents(File::open(folder).unwrap().into(), b"").unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn what_is_written_unpacks_to_the_same() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(90));
        let path = |name: &str| from.path().join(name);
        fs::create_dir(path(&"a".repeat(90))).unwrap();
        fs::write(path(&long), "long").unwrap();
        fs::set_permissions(path(&long), fs::Permissions::from_mode(0o4711)).unwrap();
        fs::hard_link(path(&long), path("same")).unwrap();
        symlink("c".repeat(150), path("link")).unwrap();
        unpack(&mut Tape::new(archive(from.path()).as_slice()), to.path(), 100).unwrap();

        let path = |name: &str| to.path().join(name);
        assert_eq!(fs::read(path("same")).unwrap(), b"long");
        assert_eq!(fs::metadata(path(&long)).unwrap().permissions().mode() & 0o7777, 0o4711);
        assert_eq!(fs::read_link(path("link")).unwrap().as_os_str().len(), 150);
        assert_eq!(archive(to.path()), archive(from.path()));
    }

    #[test]
    fn a_file_is_as_long_as_was_told() {
        let mut bytes = Vec::new();
        let mut writer = TapeWriter::new(&mut bytes, Reach::Mounts);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("f"), "abc").unwrap();
        let found = fstat(File::open(folder.path().join("f")).unwrap()).unwrap();
        writer.write(b"short", &found, (5, b"abc".as_slice())).unwrap();
        writer.write(b"grown", &found, (3, b"abcdef".as_slice())).unwrap();
        writer.finish().unwrap();
        let mut tape = Tape::new(bytes.as_slice());
        for expected in ["abc\0\0", "abc"] {
            let entry = tape.next().unwrap().unwrap();
            assert_eq!(entry.kind, TapeKind::File(expected.len() as u64));
            assert_eq!(io::read_to_string(&mut tape).unwrap(), expected);
        }
    }
}
