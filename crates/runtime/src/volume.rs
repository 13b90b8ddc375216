//! Local volumes: folders with names that outlive containers.
//!
//! Each has a folder under the data root with `volume.json` and `_data` in it. A volume may instead be something
//! that the kernel mounts (options `type`, `o`, `device`); that is mounted while a container uses it. Nothing
//! here knows which containers use a volume: who asks for its removal does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use host::files::{self, Access, Durability};
use model::{Chance, Timestamp};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde::{Deserialize, Serialize};

use crate::disk;

/// All local volumes of a node.
#[derive(Debug)]
pub struct Volumes {
    root: PathBuf,
    known: Mutex<BTreeMap<String, Known>>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// When it was made: nanoseconds since the epoch.
    pub created_nanos: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `type`, `o` and `device`, if the kernel shall mount something.
    pub options: BTreeMap<String, String>,
    /// Whether it was made without a name.
    pub anonymous: bool,
    /// Where it is.
    #[serde(skip)]
    pub mountpoint: PathBuf,
}

/// How a volume is wished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeWish {
    /// Its name; empty means one of 64 random letters.
    pub name: String,
    /// `local`, or empty.
    pub driver: String,
    /// For the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// What can go wrong with volumes.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// There is none of that name.
    #[error("get {0}: no such volume")]
    NotFound(String),
    /// It cannot be meant.
    #[error("{0}")]
    Invalid(String),
    /// There is one of that name which is different.
    #[error("volume {0} already exists with other options")]
    Different(String),
    /// Somebody uses it.
    #[error("remove {name}: volume is in use - [{users}]")]
    InUse {
        /// The volume.
        name: String,
        /// Who.
        users: String,
    },
    /// There is no such driver.
    #[error("error looking up volume plugin {0}: plugin \"{0}\" not found")]
    Driver(String),
    /// The machine said no.
    #[error("{doing}")]
    Machine {
        /// What was being done.
        doing: String,
        /// What it said.
        #[source]
        cause: io::Error,
    },
}

#[derive(Debug)]
struct Known {
    volume: Volume,
    /// How many containers have it mounted.
    mounted: usize,
}

impl Volumes {
    /// All volumes in a folder.
    ///
    /// # Errors
    /// If the folder cannot be read or made.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        files::make_folder(&root, Access::Private)?;
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(&root)? {
            let folder = entry?.path();
            let Ok(Some(text)) = files::read_if_there(&folder.join(FILE)) else { continue };
            let Ok(mut volume) = serde_json::from_slice::<Volume>(&text) else { continue };
            volume.mountpoint = folder.join(DATA);
            let mounted = usize::from(is_mounted(&volume.mountpoint));
            known.insert(volume.name.clone(), Known { volume, mounted });
        }
        Ok(Self { root, known: Mutex::new(known) })
    }

    /// Makes a volume, unless there is one of that name already, which is then returned.
    ///
    /// # Errors
    /// If the wish cannot be meant, or there is a different one of that name.
    pub fn create(&self, wish: VolumeWish) -> Result<Volume, VolumeError> {
        let VolumeWish { name, driver, options, labels } = wish;
        if !matches!(driver.as_str(), "" | "local") {
            return Err(VolumeError::Driver(driver));
        }
        check_options(&options)?;
        let anonymous = name.is_empty();
        let name = if anonymous { random_name().map_err(machine("naming a volume"))? } else { name };
        check_name(&name)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = known.get(&name) {
            let same = options.is_empty() || options == there.volume.options;
            return if same { Ok(there.volume.clone()) } else { Err(VolumeError::Different(name)) };
        }
        let folder = self.root.join(&name);
        let created_nanos = host::clock::now().nanos();
        let mountpoint = folder.join(DATA);
        let volume = Volume { name: name.clone(), created_nanos, labels, options, anonymous, mountpoint };
        let made = files::make_folder(&volume.mountpoint, Access::Public).and_then(|()| {
            let text = serde_json::to_vec(&volume)?;
            files::replace(&folder.join(FILE), &text, Access::Private, Durability::Cached)
        });
        made.map_err(machine("making a volume"))?;
        known.insert(name, Known { volume: volume.clone(), mounted: 0 });
        Ok(volume)
    }

    /// All, by name.
    pub fn list(&self) -> Vec<Volume> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| known.volume.clone()).collect()
    }

    /// The one of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn inspect(&self, name: &str) -> Result<Volume, VolumeError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(name).map(|known| known.volume.clone());
        found.ok_or_else(|| VolumeError::NotFound(name.to_owned()))
    }

    /// How many bytes the files in it take. Reads all its folders: to be called where blocking is allowed.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn bytes(&self, name: &str) -> Result<u64, VolumeError> {
        disk::bytes_below(&self.inspect(name)?.mountpoint).map_err(machine("measuring a volume"))
    }

    /// Removes one that nobody uses, with all that is in it.
    ///
    /// # Errors
    /// If there is none, or it is mounted, or the machine says no.
    pub fn remove(&self, name: &str) -> Result<(), VolumeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(name).ok_or_else(|| VolumeError::NotFound(name.to_owned()))?;
        if found.mounted > 0 && is_mounted(&found.volume.mountpoint) {
            return Err(VolumeError::InUse { name: name.to_owned(), users: "mounted".to_owned() });
        }
        files::remove_if_there(&self.root.join(name)).map_err(machine("removing a volume"))?;
        known.remove(name);
        Ok(())
    }

    /// Mounts what a volume stands for, if the kernel shall mount something and has not yet.
    pub(crate) fn take(&self, name: &str) -> Result<(), VolumeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get_mut(name).ok_or_else(|| VolumeError::NotFound(name.to_owned()))?;
        if found.volume.options.is_empty() {
            return Ok(());
        }
        if found.mounted == 0 {
            mount_volume(&found.volume).map_err(machine("mounting a volume"))?;
        }
        found.mounted += 1;
        Ok(())
    }

    /// Takes away what [`Volumes::take`] mounted, when the last who uses it goes.
    pub(crate) fn give_back(&self, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = known.get_mut(name).filter(|found| found.mounted > 0) else { return };
        found.mounted -= 1;
        if found.mounted == 0 {
            // If it is busy, it goes when it is not.
            let _ = umount2(&found.volume.mountpoint, MntFlags::MNT_DETACH);
        }
    }
}

fn mount_volume(volume: &Volume) -> io::Result<()> {
    let option = |name: &str| volume.options.get(name).map(String::as_str);
    let (kind, device) = (option("type"), option("device"));
    let (mut flags, mut rest) = (MsFlags::empty(), Vec::new());
    for word in option("o").unwrap_or_default().split(',').filter(|word| !word.is_empty()) {
        match FLAGS.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => flags |= *flag,
            None => rest.push(word),
        }
    }
    let kind = if flags.contains(MsFlags::MS_BIND) { None } else { kind };
    mount(device, &volume.mountpoint, kind, flags, Some(rest.join(",").as_str()))?;
    if flags.contains(MsFlags::MS_BIND | MsFlags::MS_RDONLY) {
        let again = flags | MsFlags::MS_REMOUNT;
        mount(None::<&str>, &volume.mountpoint, None::<&str>, again, None::<&str>)?;
    }
    Ok(())
}

fn check_options(options: &BTreeMap<String, String>) -> Result<(), VolumeError> {
    if let Some(unknown) = options.keys().find(|name| !matches!(name.as_str(), "type" | "o" | "device")) {
        return Err(VolumeError::Invalid(format!("create: invalid option: \"{unknown}\"")));
    }
    if !options.is_empty() && !options.contains_key("device") {
        return Err(VolumeError::Invalid("create: missing required option: \"device\"".to_owned()));
    }
    let bind = options.get("o").is_some_and(|words| words.split(',').any(|word| word == "bind"));
    if !options.is_empty() && !bind && !options.contains_key("type") {
        return Err(VolumeError::Invalid("create: missing required option: \"type\"".to_owned()));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), VolumeError> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let good_first = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if name.len() >= 2 && name.len() <= 255 && good_first && name.chars().all(good) {
        return Ok(());
    }
    Err(VolumeError::Invalid(format!(
        "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    )))
}

fn random_name() -> io::Result<String> {
    let mut chance: Chance = host::chance::chance()?;
    Ok(crate::container::ContainerId::random(&mut chance).to_string())
}

fn is_mounted(path: &Path) -> bool {
    let device = |path: &Path| nix::sys::stat::stat(path).map(|found| found.st_dev);
    match (device(path), path.parent().map(device)) {
        (Ok(own), Some(Ok(above))) => own != above,
        _ => false,
    }
}

fn machine(doing: &'static str) -> impl Fn(io::Error) -> VolumeError {
    move |cause| VolumeError::Machine { doing: doing.to_owned(), cause }
}

impl Volume {
    /// When it was made.
    pub fn created(&self) -> Timestamp {
        Timestamp::from_nanos(self.created_nanos)
    }
}

const FILE: &str = "volume.json";
const DATA: &str = "_data";
const FLAGS: [(&str, MsFlags); 9] = [
    ("bind", MsFlags::MS_BIND),
    ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC)),
    ("ro", MsFlags::MS_RDONLY),
    ("rw", MsFlags::empty()),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("noatime", MsFlags::MS_NOATIME),
    ("sync", MsFlags::MS_SYNCHRONOUS),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &str) -> VolumeWish {
        VolumeWish { name: name.to_owned(), ..VolumeWish::default() }
    }

    #[test]
    fn volumes_outlive_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(folder.path().to_owned()).unwrap();
        let made = volumes.create(wish("data")).unwrap();
        fs::write(made.mountpoint.join("file"), "kept").unwrap();
        let unnamed = volumes.create(wish("")).unwrap();
        assert!(unnamed.anonymous && unnamed.name.len() == 64);
        drop(volumes);

        let volumes = Volumes::open(folder.path().to_owned()).unwrap();
        assert_eq!(volumes.create(wish("data")).unwrap(), made);
        assert_eq!(volumes.list().len(), 2);
        volumes.remove("data").unwrap();
        assert!(matches!(volumes.remove("data"), Err(VolumeError::NotFound(_))));
        assert!(!made.mountpoint.exists());
    }

    #[test]
    fn wishes_that_cannot_be_meant_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(folder.path().to_owned()).unwrap();
        for name in ["a", "../x", "-ab", "a b", "a/b"] {
            assert!(matches!(volumes.create(wish(name)), Err(VolumeError::Invalid(_))), "{name}");
        }
        let with = |name: &str, value: &str| VolumeWish {
            options: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..wish("ok")
        };
        assert!(matches!(volumes.create(with("size", "1")), Err(VolumeError::Invalid(_))));
        assert!(matches!(volumes.create(with("type", "tmpfs")), Err(VolumeError::Invalid(_))));
        let foreign = VolumeWish { driver: "nfs".into(), ..wish("ok") };
        assert!(matches!(volumes.create(foreign), Err(VolumeError::Driver(_))));
    }
}
