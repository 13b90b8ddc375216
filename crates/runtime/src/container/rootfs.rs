//! Looks into the root file system of a container that need not run.
//!
//! In: the layers of an image, what the container wrote. Out: the text of a file in it, or whatever a closure
//! makes of the whole, mounted where nobody else sees it. Links in it never lead out of it.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// The root file system of a container: what it wrote, over the layers of its image.
#[derive(Clone, Debug)]
pub(crate) struct RootFs {
    /// The topmost first.
    pub(crate) layers: Vec<PathBuf>,
    /// What the container wrote, and the kernel's own folder; absent where nothing will be written.
    pub(crate) own: Option<Own>,
}

/// What belongs to one container only.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// What it wrote.
    pub(crate) upper: PathBuf,
    /// For the kernel's own use.
    pub(crate) work: PathBuf,
}

impl RootFs {
    /// The layers for `mount(2)`, with paths relative to a folder, which shortens them.
    pub(crate) fn lower(&self) -> (PathBuf, String) {
        let first = self.layers.first().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"));
        let base = first.ancestors().find(|base| self.layers.iter().all(|layer| layer.starts_with(base)));
        let base = base.unwrap_or(Path::new("/"));
        let short =
            |layer: &PathBuf| layer.strip_prefix(base).unwrap_or(layer).to_string_lossy().into_owned();
        (base.to_owned(), self.layers.iter().map(short).collect::<Vec<_>>().join(":"))
    }

    /// The text of a file, at most 1 MiB of it; empty if there is none. The path has no leading slash.
    pub(crate) fn text(&self, path: &str) -> io::Result<String> {
        match self.look_up(path) {
            Lookup::Nothing => Ok(String::new()),
            Lookup::File(found) => read_some(File::open(found)?),
            Lookup::Intricate => {
                let path = path.to_owned();
                self.within(move |root| match open_in_root(root, &path) {
                    Ok(file) => read_some(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                    Err(error) => Err(error),
                })?
            }
        }
    }

    /// Runs `look` with the path of the whole file system, which is mounted for it alone.
    pub(crate) fn within<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> io::Result<T> {
        let whole = self.clone();
        // A thread of its own, since mounts of its own stay with a thread for ever.
        let thread = std::thread::Builder::new().name("rootfs".into()).spawn(move || {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)?;
            let nothing = None::<&str>;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)?;
            whole.mount_here()?;
            Ok(look(Path::new(MOUNTED_AT)))
        })?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("looking into the root file system panicked")))
    }

    fn mount_here(&self) -> io::Result<()> {
        let (base, lower) = self.lower();
        std::env::set_current_dir(&base)?;
        let nothing = None::<&str>;
        let (flags, options) = match &self.own {
            Some(Own { upper, work }) => {
                let own = format!(",upperdir={},workdir={}", upper.display(), work.display());
                (MsFlags::empty(), format!("lowerdir={lower}{own}"))
            }
            // An overlay asks for two layers; a single one is shown as it is.
            None if self.layers.len() == 1 => {
                mount(Some(&self.layers[0]), MOUNTED_AT, nothing, MsFlags::MS_BIND, nothing)?;
                return Ok(());
            }
            None => (MsFlags::MS_RDONLY, format!("lowerdir={lower}")),
        };
        mount(Some("overlay"), MOUNTED_AT, Some("overlay"), flags, Some(options.as_str()))?;
        Ok(())
    }

    /// Finds a plain file without mounting anything, unless links or opaque folders make that intricate.
    fn look_up(&self, path: &str) -> Lookup {
        let upper = self.own.as_ref().map(|own| &own.upper);
        let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
        for layer in upper.into_iter().chain(&self.layers) {
            match fs::symlink_metadata(layer.join(folder)) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Lookup::Intricate,
                Err(_) => continue,
            }
            match fs::symlink_metadata(layer.join(path)) {
                Ok(found) if found.is_file() => return Lookup::File(layer.join(path)),
                Ok(found) if found.file_type().is_char_device() => return Lookup::Nothing,
                Ok(_) => return Lookup::Intricate,
                Err(_) => {}
            }
        }
        Lookup::Nothing
    }
}

enum Lookup {
    Nothing,
    File(PathBuf),
    Intricate,
}

/// Opens a file for reading as one would who has `root` as root: no link leads out of it.
#[expect(unsafe_code, reason = "nix has no word for openat2 that takes the root of a resolution")]
pub(crate) fn open_in_root(root: &Path, path: &str) -> io::Result<File> {
    let folder = File::open(root)?;
    let path = CString::new(path)?;
    // SAFETY: zeros are a valid `open_how`; its size is told, the texts outlive the call, and the new
    // descriptor is nobody else's.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
        how.resolve = libc::RESOLVE_IN_ROOT;
        let opened = libc::syscall(
            libc::SYS_openat2,
            folder.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        );
        let opened = i32::try_from(opened).map_err(io::Error::other)?;
        if opened < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(opened).into()) }
    }
}

fn read_some(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(TEXT_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Seen only by the thread that mounts there; every Linux has it.
const MOUNTED_AT: &str = "/mnt";
const TEXT_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_from_the_topmost_layer_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let layer = |name: &str| folder.path().join(name);
        fs::create_dir_all(layer("top/etc")).unwrap();
        fs::create_dir_all(layer("low/etc")).unwrap();
        fs::write(layer("low/etc/passwd"), "low").unwrap();
        let root = RootFs { layers: vec![layer("top"), layer("low")], own: None };
        assert_eq!(root.text("etc/passwd").unwrap(), "low");
        fs::write(layer("top/etc/passwd"), "top").unwrap();
        assert_eq!(root.text("etc/passwd").unwrap(), "top");
        assert_eq!(root.text("etc/group").unwrap(), "");
        assert_eq!(root.lower(), (folder.path().to_owned(), "top:low".to_owned()));
    }

    #[test]
    #[ignore = "needs root"]
    fn links_never_lead_out_of_the_container() {
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("layer");
        fs::create_dir_all(layer.join("etc")).unwrap();
        std::os::unix::fs::symlink("/secret", layer.join("etc/passwd")).unwrap();
        fs::write(layer.join("secret"), "inside").unwrap();
        let root = RootFs { layers: vec![layer], own: None };
        assert_eq!(root.text("etc/passwd").unwrap(), "inside");
        assert!(!Path::new("/mnt/secret").exists());
    }
}
