//! What a container sees of the host, once volumes have names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::container::description::{Description, Mount, MountAccess, MountSource};
use crate::container::error::{ContainerError, Doing};
use crate::container::ground::Ground;
use crate::container::prepare;
use crate::container::rootfs::RootFs;
use crate::container::spec;
use crate::volume::VolumeWish;

/// One mount of a container, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Of which kind.
    pub kind: MountKind,
    /// The volume's name; empty if it is none.
    pub volume: String,
    /// Where it is on the host; empty for a file system in memory.
    pub source: PathBuf,
    /// Where it shows.
    pub target: String,
    /// Whether it can be written.
    pub writable: bool,
    /// What becomes of mounts beneath; empty for volumes.
    pub propagation: String,
    /// Whether the volume was made for this container alone, without a name.
    pub anonymous: bool,
}

/// The kinds of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// A path of the host.
    Bind,
    /// A volume.
    Volume,
    /// A file system in memory.
    Tmpfs,
}

/// Finds or makes what a container shall see of the host: its own mounts in their order, then those volumes
/// without name that its image asks for.
pub(crate) fn resolve(ground: &Ground, wish: &Description) -> Result<Vec<MountPoint>, ContainerError> {
    let image = RootFs { layers: wish.image.layers.clone(), own: None };
    wish.mounts.iter().map(|mount| resolve_one(ground, &image, mount)).collect()
}

/// The mounts of a description, and one for each volume of the image that none of them covers.
pub(crate) fn with_image_volumes(wish: &mut Description) {
    for path in &wish.image.defaults.volumes {
        let Some(target) = spec::clean(path) else { continue };
        if wish.mounts.iter().any(|mount| spec::clean(&mount.target).as_ref() == Some(&target)) {
            continue;
        }
        let source = MountSource::Volume {
            name: String::new(),
            subpath: String::new(),
            no_copy: false,
            driver: String::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        wish.mounts.push(Mount { source, target, access: MountAccess::Writable });
    }
}

fn resolve_one(ground: &Ground, image: &RootFs, mount: &Mount) -> Result<MountPoint, ContainerError> {
    let Mount { source, target, access } = mount;
    let mut point = MountPoint {
        kind: MountKind::Tmpfs,
        volume: String::new(),
        source: PathBuf::new(),
        target: target.clone(),
        writable: *access == MountAccess::Writable,
        propagation: String::new(),
        anonymous: false,
    };
    match source {
        MountSource::Bind { path, propagation, non_recursive: _, create: _ } => {
            point.kind = MountKind::Bind;
            point.source.clone_from(path);
            point.propagation = if propagation.is_empty() { "rprivate".into() } else { propagation.clone() };
        }
        MountSource::Volume { name, subpath, no_copy, driver, options, labels } => {
            let (name, driver) = (name.clone(), driver.clone());
            let wish = VolumeWish { name, driver, options: options.clone(), labels: labels.clone() };
            let volume = ground.volumes.create(wish)?;
            if !no_copy && subpath.is_empty() && volume.options.is_empty() && !image.layers.is_empty() {
                prepare::fill_volume(image, target, &volume.mountpoint)
                    .doing(|| format!("filling volume {} from the image", volume.name))?;
            }
            point.kind = MountKind::Volume;
            point.anonymous = volume.anonymous;
            point.source = within_volume(&volume.mountpoint, subpath)?;
            point.volume = volume.name;
        }
        MountSource::Tmpfs { .. } => {}
    }
    Ok(point)
}

/// A folder within a volume. It must not lead out of it, by no link either.
fn within_volume(root: &Path, subpath: &str) -> Result<PathBuf, ContainerError> {
    if subpath.is_empty() {
        return Ok(root.to_owned());
    }
    let invalid = |rule: &str| ContainerError::Invalid(format!("invalid volume subpath '{subpath}': {rule}"));
    let path = Path::new(subpath);
    if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Err(invalid("it must be relative and stay within the volume"));
    }
    let found = root.join(path).canonicalize().map_err(|_| invalid("there is no such folder"))?;
    let root = root.canonicalize().map_err(|_| invalid("the volume is gone"))?;
    if found.starts_with(&root) { Ok(found) } else { Err(invalid("it must stay within the volume")) }
}
