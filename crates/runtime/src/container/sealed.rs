//! A copy of the OCI runtime in memory that nobody can change.
//!
//! In: the program's path. Out: a path to the same program, sealed. No container shall ever overwrite the program
//! that made it, so crun and runc run themselves from such a copy, which each call would have to make anew. They
//! take one that is there, and then need half the time until they begin.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A program in memory that nobody can change.
#[derive(Debug)]
pub(crate) struct Sealed {
    file: File,
    original: Original,
}

/// What a copy was made of: a program that was installed anew is another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Original {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Sealed {
    /// Copies a program.
    ///
    /// # Errors
    /// If it cannot be read, or the kernel lets no program be run from memory.
    pub(crate) fn copy(program: &Path) -> io::Result<Self> {
        let original = Original::of(program)?;
        let mut file = File::from(memory(MFD_EXEC).or_else(|error| match error {
            // Before Linux 6.3 all such files may be run, and there is no word for it.
            Errno::EINVAL => memory(MFdFlags::empty()),
            other => Err(other),
        })?);
        io::copy(&mut File::open(program)?, &mut file)?;
        let seals =
            SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self { file, original })
    }

    /// Whether the program is still the one that was copied.
    pub(crate) fn is_copy_of(&self, program: &Path) -> bool {
        Original::of(program).is_ok_and(|now| now == self.original)
    }

    /// Where others on this host find it, as long as this lives.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }
}

impl Original {
    fn of(program: &Path) -> io::Result<Self> {
        let found = fs::metadata(program)?;
        Ok(Self {
            path: program.to_owned(),
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

fn memory(more: MFdFlags) -> nix::Result<std::os::fd::OwnedFd> {
    memfd_create(c"oci-runtime", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING | more)
}

/// It shall be possible to run it (`memfd_create(2)`).
const MFD_EXEC: MFdFlags = MFdFlags::from_bits_retain(0x10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn a_copy_runs_and_cannot_be_written() {
        let sealed = Sealed::copy(Path::new("/bin/true")).unwrap();
        assert!(Command::new(sealed.path()).status().unwrap().success());
        let opened = File::options().write(true).open(sealed.path());
        let refused = opened.and_then(|mut file| file.write_all(b"#!")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_program_installed_anew_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("crun");
        fs::write(&program, "old").unwrap();
        let sealed = Sealed::copy(&program).unwrap();
        assert!(sealed.is_copy_of(&program));
        fs::write(folder.path().join("new"), "new").unwrap();
        fs::rename(folder.path().join("new"), &program).unwrap();
        assert!(!sealed.is_copy_of(&program));
    }
}
