//! Which images there are, what they are called, and which unpacked layers they stand on.
//!
//! Kept as one JSON file that is replaced whole, rather than in a database: a machine has tens of images, the file
//! changes a few times a day, is read once at the start, and can be read by people when something is wrong.
//! What is in memory is what is in the file. Names are kept in full (`docker.io/library/nginx:latest`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use host::files::{self, Access, Durability};
use model::image::ImageRef;
use serde::{Deserialize, Serialize};

use crate::image::digest::{ChainId, Digest, ImageId};
use crate::image::error::{ImageError, ImageErrorKind};

/// Everything that is known about local images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// The number of the next layer's folder; never used twice.
    pub(crate) next_link: u64,
    pub(crate) layers: BTreeMap<ChainId, Layer>,
    pub(crate) images: BTreeMap<ImageId, Image>,
    pub(crate) names: BTreeMap<String, ImageId>,
}

/// A layer that is unpacked on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// The short name of its folder.
    pub(crate) link: String,
    /// The digest of its archive, unpacked of compression.
    pub(crate) diff_id: Digest,
    /// The archive as it came, for saving and pushing.
    pub(crate) blob: Digest,
    pub(crate) blob_bytes: u64,
    /// The bytes of its files.
    pub(crate) bytes: u64,
}

/// An image on this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// Its layers, lowest first.
    pub(crate) stacks: Vec<ChainId>,
    /// Under which digests registries know it: `docker.io/library/nginx@sha256:…`.
    pub(crate) digests: BTreeSet<String>,
    /// When it last got a name, in nanoseconds since 1970; 0 if never.
    pub(crate) tagged: i64,
}

impl Catalog {
    /// Reads the file, or begins anew if there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let Some(bytes) = files::read_if_there(path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be read: {error}", path.display()))
        })
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec_pretty(self)?, Access::Private, Durability::Synced)
    }

    /// The image a user means: by name, by name and digest, by id or by the first letters of its id.
    pub(crate) fn resolve(&self, name: &str) -> Result<ImageId, ImageError> {
        if let Ok(digest) = name.parse::<Digest>()
            && self.images.contains_key(&ImageId(digest))
        {
            return Ok(ImageId(digest));
        }
        let reference = ImageRef::parse(name).ok();
        if let Some(id) = reference.as_ref().and_then(|reference| self.find(reference)) {
            return Ok(id);
        }
        match self.by_prefix(name.strip_prefix("sha256:").unwrap_or(name))? {
            Some(id) => Ok(id),
            None => Err(ImageError::no_such_image(
                &reference.map_or_else(|| name.to_owned(), |found| found.familiar()),
            )),
        }
    }

    /// The image of this very name; a digest in it decides alone.
    pub(crate) fn find(&self, reference: &ImageRef) -> Option<ImageId> {
        match &reference.digest {
            None => self.names.get(&reference.to_string()).copied(),
            Some(digest) => {
                let known = format!("{}@{digest}", full_name(reference));
                self.images.iter().find(|(_, image)| image.digests.contains(&known)).map(|(id, _)| *id)
            }
        }
    }

    fn by_prefix(&self, letters: &str) -> Result<Option<ImageId>, ImageError> {
        let hex = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
        if letters.is_empty() || letters.len() > 64 || !letters.bytes().all(hex) {
            return Ok(None);
        }
        let mut found = self.images.keys().filter(|id| id.0.hex().starts_with(letters));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(ImageError::invalid(format!("image ID prefix \"{letters}\" is ambiguous")))
            }
            (first, _) => Ok(first.copied()),
        }
    }

    /// The image's names as users read them, sorted.
    pub(crate) fn names_of(&self, id: ImageId) -> Vec<ImageRef> {
        let of_image = self.names.iter().filter(|(_, named)| **named == id);
        of_image.filter_map(|(name, _)| ImageRef::parse(name).ok()).collect()
    }

    /// Gives an image a name, away from the image that had it.
    pub(crate) fn name(&mut self, reference: &ImageRef, id: ImageId, now: i64) -> Result<(), ImageError> {
        if reference.digest.is_some() {
            return Err(ImageError::invalid("refusing to create a tag with a digest reference"));
        }
        let image = self.images.get_mut(&id).ok_or_else(|| ImageError::no_such_image(&id.to_string()))?;
        image.tagged = now;
        self.names.insert(reference.to_string(), id);
        Ok(())
    }

    /// Takes a name away; with the last tag of a repository go the digests known there.
    pub(crate) fn unname(&mut self, reference: &ImageRef, id: ImageId) -> Vec<String> {
        let mut untagged = Vec::new();
        if let Some(digest) = &reference.digest {
            let known = format!("{}@{digest}", full_name(reference));
            if self.images.get_mut(&id).is_some_and(|image| image.digests.remove(&known)) {
                untagged.push(format!("{}@{digest}", reference.familiar_name()));
            }
            return untagged;
        }
        if self.names.remove(&reference.to_string()).is_some() {
            untagged.push(reference.familiar());
        }
        let repository = full_name(reference);
        if self.names_of(id).iter().any(|other| full_name(other) == repository) {
            return untagged;
        }
        let Some(image) = self.images.get_mut(&id) else { return untagged };
        let prefix = format!("{repository}@");
        let gone: Vec<String> =
            image.digests.iter().filter(|known| known.starts_with(&prefix)).cloned().collect();
        for known in gone {
            image.digests.remove(&known);
            untagged.push(familiar_digest(&known));
        }
        untagged
    }

    /// Layers that no image stands on.
    pub(crate) fn unused_layers(&self) -> Vec<ChainId> {
        let used: BTreeSet<&ChainId> = self.images.values().flat_map(|image| &image.stacks).collect();
        self.layers.keys().filter(|chain| !used.contains(chain)).copied().collect()
    }

    /// How many images stand on each layer.
    pub(crate) fn shares(&self) -> BTreeMap<ChainId, usize> {
        let mut shares = BTreeMap::new();
        for chain in self.images.values().flat_map(|image| &image.stacks) {
            *shares.entry(*chain).or_default() += 1;
        }
        shares
    }

    /// The layers of an image, lowest first.
    pub(crate) fn layers_of(&self, id: ImageId) -> Result<Vec<&Layer>, ImageError> {
        let image = self.images.get(&id).ok_or_else(|| ImageError::no_such_image(&id.to_string()))?;
        let layer = |chain: &ChainId| {
            self.layers.get(chain).ok_or_else(|| {
                ImageError::new(
                    ImageErrorKind::Machine,
                    format!("layer {} of image {id} is missing", chain.0),
                )
            })
        };
        image.stacks.iter().map(layer).collect()
    }

    /// A name for the next layer's folder: short, since a mount names all layers on one page of memory.
    pub(crate) fn new_link(&mut self) -> String {
        let mut number = self.next_link;
        self.next_link += 1;
        let mut letters = Vec::new();
        loop {
            letters.push(LETTERS[(number % 36) as usize]);
            number /= 36;
            if number == 0 {
                break;
            }
        }
        letters.iter().rev().map(|letter| char::from(*letter)).collect()
    }
}

/// Where the catalogue is, below the store's root.
pub(crate) fn file(root: &Path) -> PathBuf {
    root.join("catalog.json")
}

/// Registry and path in full, without tag and digest.
pub(crate) fn full_name(reference: &ImageRef) -> String {
    format!("{}/{}", reference.registry, reference.path)
}

/// `docker.io/library/nginx@sha256:…` as users read it.
pub(crate) fn familiar_digest(known: &str) -> String {
    ImageRef::parse(known).map_or_else(|_| known.to_owned(), |reference| reference.familiar())
}

const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> (Catalog, ImageId, ImageId) {
        let (web, db) = (ImageId(Digest::of(b"web")), ImageId(Digest::of(b"db")));
        let mut catalog = Catalog::default();
        catalog.images.insert(web, Image::default());
        catalog.images.insert(db, Image::default());
        catalog.name(&ImageRef::parse("web").unwrap(), web, 1).unwrap();
        catalog.name(&ImageRef::parse("localhost:5000/db:1").unwrap(), db, 2).unwrap();
        (catalog, web, db)
    }

    #[test]
    fn an_image_is_found_by_name_id_and_prefix() {
        let (mut catalog, web, db) = catalog();
        let digest = format!("sha256:{}", "a".repeat(64));
        catalog.images.get_mut(&db).unwrap().digests.insert(format!("localhost:5000/db@{digest}"));
        for (name, id) in [
            ("web", web),
            ("docker.io/library/web:latest", web),
            (&web.to_string(), web),
            (&web.0.hex()[..6], web),
            (&format!("sha256:{}", web.0.short()), web),
            (&format!("localhost:5000/db:whatever@{digest}"), db),
        ] {
            assert_eq!(catalog.resolve(name), Ok(id), "{name}");
        }
        for (name, text) in [
            ("nothing", "No such image: nothing:latest"),
            ("web:2", "No such image: web:2"),
            ("UPPER", "No such image: UPPER"),
            ("", "No such image: "),
        ] {
            assert_eq!(catalog.resolve(name).unwrap_err().message, text);
        }
    }

    #[test]
    fn the_last_tag_of_a_repository_takes_its_digests_along() {
        let (mut catalog, web, _) = catalog();
        let digest = format!("sha256:{}", "a".repeat(64));
        catalog.images.get_mut(&web).unwrap().digests.insert(format!("docker.io/library/web@{digest}"));
        catalog.name(&ImageRef::parse("web:2").unwrap(), web, 3).unwrap();
        assert_eq!(catalog.unname(&ImageRef::parse("web").unwrap(), web), ["web:latest"]);
        let untagged = catalog.unname(&ImageRef::parse("web:2").unwrap(), web);
        assert_eq!(untagged, ["web:2".to_owned(), format!("web@{digest}")]);
    }

    #[test]
    fn links_are_short_and_never_repeat() {
        let mut catalog = Catalog { next_link: 34, ..Catalog::default() };
        let links: Vec<String> = (0..4).map(|_| catalog.new_link()).collect();
        assert_eq!(links, ["y", "z", "10", "11"]);
    }

    #[test]
    fn the_catalogue_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let (catalog, ..) = catalog();
        catalog.write(&path).unwrap();
        assert_eq!(Catalog::open(&path).unwrap(), catalog);
        std::fs::write(&path, "{").unwrap();
        assert!(Catalog::open(&path).unwrap_err().to_string().contains("cannot be read"));
    }
}
