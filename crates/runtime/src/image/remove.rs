//! Taking names and images away, with Docker's rules on who may be in the way.

use std::collections::BTreeMap;

use model::image::ImageRef;
use serde::Serialize;

use crate::image::catalog::{self, Catalog};
use crate::image::digest::{Digest, ImageId};
use crate::image::error::{ImageError, ImageErrorKind};
use crate::image::shelf::Shelf;
use crate::image::show::ImageFilter;

/// Which containers use which images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses(pub BTreeMap<ImageId, Vec<Use>>);

/// One container that uses an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The container's id.
    pub container: String,
    /// Whether it runs.
    pub state: UseState,
}

/// Whether a container that uses an image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseState {
    /// It runs, or may run at any moment: its image cannot be forced away.
    Running,
    /// It has stopped.
    Stopped,
}

/// How insistently to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insistence {
    /// Not if anything is in the way.
    #[default]
    Careful,
    /// Take all names of the image away, even while stopped containers use it.
    Forced,
}

/// What was taken away: a name, or something by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Removed {
    /// A name.
    Untagged(String),
    /// An image or a layer.
    Deleted(Digest),
}

/// What pruning took away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pruned {
    /// Names, images and layers.
    pub images_deleted: Vec<Removed>,
    /// Bytes that are free again.
    pub space_reclaimed: u64,
}

impl Uses {
    /// How many containers use this image.
    pub fn containers_of(&self, id: ImageId) -> usize {
        self.0.get(&id).map_or(0, Vec::len)
    }

    /// Whether no container uses any image.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, id: ImageId, state: UseState) -> Option<&Use> {
        self.0.get(&id).into_iter().flatten().find(|found| found.state == state)
    }
}

impl Shelf {
    /// Takes a name away, and the image with its last name.
    ///
    /// An image that stopped containers use is never deleted beneath them: when forced, it loses its names and
    /// stays until it is pruned.
    pub(crate) fn remove(
        &self,
        name: &str,
        insistence: Insistence,
        uses: &Uses,
    ) -> Result<Vec<Removed>, ImageError> {
        let mut removed = self.change(|catalog| {
            let id = catalog.resolve(name)?;
            let named = ImageRef::parse(name).ok().filter(|reference| catalog.find(reference) == Some(id));
            match named {
                Some(reference) => by_name(catalog, &reference, id, (insistence, uses)),
                None => by_id(catalog, id, (insistence, uses)),
            }
        })?;
        let (layers, _) = self.clear()?;
        removed.extend(layers.into_iter().map(|chain| Removed::Deleted(chain.0)));
        Ok(removed)
    }

    /// Takes away images that nothing uses: those without a name, or all that the filter names if it says
    /// `dangling=false`.
    pub(crate) fn prune(&self, filter: &ImageFilter, uses: &Uses) -> Result<Pruned, ImageError> {
        let every = filter.dangling == Some(false);
        let filter = ImageFilter { dangling: if every { None } else { Some(true) }, ..filter.clone() };
        let candidates = self.list(&filter, uses)?;
        let mut images_deleted = self.change(|catalog| {
            let unused = candidates.iter().filter(|image| uses.containers_of(image.id) == 0);
            Ok(unused.flat_map(|image| delete(catalog, image.id)).collect::<Vec<_>>())
        })?;
        let (layers, space_reclaimed) = self.clear()?;
        images_deleted.extend(layers.into_iter().map(|chain| Removed::Deleted(chain.0)));
        Ok(Pruned { images_deleted, space_reclaimed })
    }
}

fn by_name(
    catalog: &mut Catalog,
    reference: &ImageRef,
    id: ImageId,
    (insistence, uses): (Insistence, &Uses),
) -> Result<Vec<Removed>, ImageError> {
    let names = catalog.names_of(id);
    let is_last = match &reference.digest {
        None => names.len() == 1,
        Some(_) => names.is_empty() && catalog.images.get(&id).is_some_and(|image| image.digests.len() == 1),
    };
    if !is_last {
        return Ok(catalog.unname(reference, id).into_iter().map(Removed::Untagged).collect());
    }
    let user = uses.of(id, UseState::Running).or(uses.of(id, UseState::Stopped));
    match user {
        Some(user) if insistence == Insistence::Careful => Err(ImageError::new(
            ImageErrorKind::Conflict,
            format!(
                "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its referenced image {}",
                reference.familiar(),
                short(&user.container),
                id.0.short()
            ),
        )),
        _ => by_id(catalog, id, (insistence, uses)),
    }
}

fn by_id(
    catalog: &mut Catalog,
    id: ImageId,
    (insistence, uses): (Insistence, &Uses),
) -> Result<Vec<Removed>, ImageError> {
    let conflict = |how: &str, why: String| {
        let message = format!("conflict: unable to delete {} ({how}) - {why}", id.0.short());
        Err(ImageError::new(ImageErrorKind::Conflict, message))
    };
    let stopped = uses.of(id, UseState::Stopped);
    if let Some(user) = uses.of(id, UseState::Running) {
        let why = format!("image is being used by running container {}", short(&user.container));
        return conflict("cannot be forced", why);
    }
    if insistence == Insistence::Careful {
        let names = catalog.names_of(id);
        let several =
            names.windows(2).any(|pair| catalog::full_name(&pair[0]) != catalog::full_name(&pair[1]));
        if several {
            return conflict("must be forced", "image is referenced in multiple repositories".to_owned());
        }
        if let Some(user) = stopped {
            let why = format!("image is being used by stopped container {}", short(&user.container));
            return conflict("must be forced", why);
        }
    }
    Ok(if stopped.is_some() { untag(catalog, id) } else { delete(catalog, id) })
}

fn untag(catalog: &mut Catalog, id: ImageId) -> Vec<Removed> {
    let names = catalog.names_of(id);
    let untagged = names.iter().flat_map(|name| catalog.unname(name, id)).collect::<Vec<_>>();
    untagged.into_iter().map(Removed::Untagged).collect()
}

fn delete(catalog: &mut Catalog, id: ImageId) -> Vec<Removed> {
    let mut removed = untag(catalog, id);
    if let Some(image) = catalog.images.remove(&id) {
        removed.extend(image.digests.iter().map(|known| Removed::Untagged(catalog::familiar_digest(known))));
        removed.push(Removed::Deleted(id.0));
    }
    removed
}

fn short(container: &str) -> &str {
    container.get(..12).unwrap_or(container)
}
