//! What a container added, changed or removed since it was made.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::container::ground::Ground;
use crate::container::prepare;
use crate::container::rootfs::RootFs;
use crate::container::spec::INIT;
use crate::container::state::Record;

/// One path that is not as the image has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathChange {
    /// From the root on.
    pub path: PathBuf,
    /// What became of it.
    pub kind: ChangeKind,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It, or something in it, is not as it was.
    Changed,
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
}

/// Compares what a container wrote with its image.
pub(super) fn of(ground: &Ground, record: &Record) -> io::Result<Vec<PathChange>> {
    let written = ground.folder(record.id).join(prepare::UPPER);
    let places = record.mounts.iter().map(|mount| PathBuf::from(&mount.target));
    let places = places.chain([PathBuf::from(INIT)]).collect();
    let image = RootFs { own: None, ..prepare::root_of(ground, record) };
    image.within(move |image| {
        let mut comparison = Comparison { places, changes: Vec::new() };
        comparison.compare(Path::new("/"), &written, Some(image))?;
        comparison.changes.sort();
        Ok(comparison.changes)
    })?
}

struct Comparison {
    /// Where something is mounted: what was made for that is not the container's own.
    places: BTreeSet<PathBuf>,
    changes: Vec<PathChange>,
}

impl Comparison {
    /// Compares one folder. Tells whether it has more or fewer entries than before.
    fn compare(&mut self, path: &Path, written: &Path, image: Option<&Path>) -> io::Result<bool> {
        let mut differs = false;
        let mut there = BTreeSet::new();
        for entry in listed(written)? {
            let entry = entry?;
            there.insert(entry.file_name());
            let (path, image) =
                (path.join(entry.file_name()), image.map(|image| image.join(entry.file_name())));
            differs |= self.entry(path, &entry.path(), image.as_deref())?;
        }
        if let Some(image) = image.filter(|_| is_opaque(written)) {
            for entry in listed(image)? {
                let name = entry?.file_name();
                if !there.contains(&name) {
                    self.note(path.join(name), ChangeKind::Removed);
                    differs = true;
                }
            }
        }
        Ok(differs)
    }

    /// Compares one entry. Tells whether it was added or removed.
    fn entry(&mut self, path: PathBuf, written: &Path, image: Option<&Path>) -> io::Result<bool> {
        let now = fs::symlink_metadata(written)?;
        let before = image.and_then(|image| fs::symlink_metadata(image).ok());
        if now.file_type().is_char_device() && now.rdev() == 0 {
            self.note(path, ChangeKind::Removed);
            return Ok(true);
        }
        let kind = if before.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
        if kind == ChangeKind::Added && self.places.contains(&path) {
            return Ok(false);
        }
        if !now.is_dir() {
            self.note(path, kind);
            return Ok(kind == ChangeKind::Added);
        }
        let known = self.changes.len();
        let image = image.filter(|_| before.as_ref().is_some_and(fs::Metadata::is_dir));
        let differs = self.compare(&path, written, image)?;
        let same = before.is_some_and(|before| {
            before.is_dir()
                && (before.mode(), before.uid(), before.gid()) == (now.mode(), now.uid(), now.gid())
        });
        let only_for_a_place = kind == ChangeKind::Added
            && self.changes.len() == known
            && self.places.iter().any(|place| place.starts_with(&path));
        // A folder is written anew when something in it is changed; that alone is no change of its own.
        let changed = !only_for_a_place && (!same || differs);
        if changed {
            self.note(path, kind);
        }
        Ok(changed && kind == ChangeKind::Added)
    }

    fn note(&mut self, path: PathBuf, kind: ChangeKind) {
        self.changes.push(PathChange { path, kind });
    }
}

/// The entries of a folder; none if it was never made.
fn listed(folder: &Path) -> io::Result<Vec<io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether a folder took the place of the image's, which was removed.
fn is_opaque(folder: &Path) -> bool {
    xattr::get(folder, "trusted.overlay.opaque").ok().flatten().is_some_and(|value| value == b"y")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "image/etc",
            "image/quiet",
            "image/var/old",
            "own/etc",
            "own/quiet",
            "own/new/deep",
            "own/data/x",
        ] {
            fs::create_dir_all(path(name)).unwrap();
        }
        for name in ["image/etc/passwd", "own/etc/passwd", "own/etc/hosts", "own/new/file"] {
            fs::write(path(name), name).unwrap();
        }
        let places = ["/etc/hosts", "/data/x"].map(PathBuf::from).into();
        let mut comparison = Comparison { places, changes: Vec::new() };
        comparison.compare(Path::new("/"), &path("own"), Some(&path("image"))).unwrap();
        comparison.changes.sort();
        let told: Vec<_> =
            comparison.changes.iter().map(|change| (change.path.to_str().unwrap(), change.kind)).collect();
        use ChangeKind::{Added, Changed};
        let expected =
            [("/etc/passwd", Changed), ("/new", Added), ("/new/deep", Added), ("/new/file", Added)];
        assert_eq!(told, expected);
    }
}
