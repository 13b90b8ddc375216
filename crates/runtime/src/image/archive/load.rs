//! `load`: images from an archive of `docker save` or of the OCI layout.
//!
//! Parts come in any order, so each file is kept as a blob at first, by its digest; the archive's table of contents
//! then says which are layers of what. What no image needs is cleared away at the end.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use model::image::ImageRef;

use super::{FULL_NAME, INDEX_FILE, LayoutIndex, MANIFEST_FILE, SHORT_NAME, SavedImage};
use crate::image::config::DOCUMENT_BYTES_MAX;
use crate::image::digest::{Digest, ImageId};
use crate::image::error::ImageError;
use crate::image::layers::failure;
use crate::image::manifest::{MANIFEST_BYTES_MAX, Manifest, Platform, choose};
use crate::image::progress::Progress;
use crate::image::shelf::Shelf;
use crate::tape::packing::{Bounds, unpacked};
use crate::tape::{Tape, TapeKind, malformed};

/// An image that came from an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The image.
    pub id: ImageId,
    /// Its names in the archive.
    pub names: Vec<ImageRef>,
}

/// An image as the archive describes it.
struct Described {
    id: ImageId,
    layers: Vec<Digest>,
    names: Vec<ImageRef>,
}

/// The files of an archive: by path, what they contain.
type Files = BTreeMap<PathBuf, Digest>;

impl Shelf {
    /// Loads all images of an archive.
    pub(crate) fn load(&self, archive: impl Read, progress: &Progress) -> Result<Vec<Loaded>, ImageError> {
        let files = self.take_files(archive).map_err(|error| failure("loading an archive", &error))?;
        let described = self.describe(&files)?;
        let mut loaded = Vec::with_capacity(described.len());
        for Described { id, layers, names } in described {
            let stacks = self.install(id, &layers, progress)?;
            let now = host::clock::now().nanos();
            self.add_image(id, &stacks, |catalog| {
                names.iter().try_for_each(|name| catalog.name(name, id, now))
            })?;
            for name in &names {
                progress.stream(format!("Loaded image: {}\n", name.familiar()));
            }
            if names.is_empty() {
                progress.stream(format!("Loaded image ID: {id}\n"));
            }
            loaded.push(Loaded { id, names });
        }
        Ok(loaded)
    }

    fn take_files(&self, archive: impl Read) -> io::Result<Files> {
        let bounds = Bounds::default();
        let mut tape = Tape::new(unpacked(archive, bounds)?);
        let (mut files, mut links) = (Files::new(), BTreeMap::new());
        let mut entries = 0;
        while let Some(entry) = tape.next()? {
            entries += 1;
            if entries > FILES_MAX {
                return Err(malformed(&format!("it has more than {FILES_MAX} files")));
            }
            let path = inside(&PathBuf::from(String::from_utf8_lossy(&entry.path).into_owned()))?;
            match entry.kind {
                TapeKind::File(_) => {
                    let mut draft = self.content.draft()?;
                    io::copy(&mut tape, &mut draft)?;
                    files.insert(path, draft.keep()?.0);
                }
                TapeKind::Symlink(target) => {
                    let target = PathBuf::from(String::from_utf8_lossy(&target).into_owned());
                    links.insert(path.clone(), inside(&path.parent().unwrap_or(Path::new("")).join(target))?);
                }
                TapeKind::Folder => {}
                _ => return Err(malformed("it has devices or links where an image archive has files")),
            }
        }
        for (path, target) in links {
            if let Some(digest) = files.get(&target).copied() {
                files.insert(path, digest);
            }
        }
        Ok(files)
    }

    fn describe(&self, files: &Files) -> Result<Vec<Described>, ImageError> {
        if let Some(digest) = files.get(Path::new(MANIFEST_FILE)) {
            let images: Vec<SavedImage> = self.parse(MANIFEST_FILE, digest)?;
            return images.into_iter().map(|image| describe_saved(image, files)).collect();
        }
        let Some(digest) = files.get(Path::new(INDEX_FILE)) else {
            return Err(ImageError::invalid("invalid archive: it has neither manifest.json nor index.json"));
        };
        let index: LayoutIndex = self.parse(INDEX_FILE, digest)?;
        let mut described = Vec::new();
        for image in index.manifests {
            let name = layout_name(&image.annotations);
            let (id, layers) = self.describe_layout(image.digest)?;
            described.push(Described { id, layers, names: name.into_iter().collect() });
        }
        Ok(described)
    }

    /// From a manifest to what it is made of; through one index, if it is one.
    fn describe_layout(&self, digest: Digest) -> Result<(ImageId, Vec<Digest>), ImageError> {
        let mut digest = digest;
        for _ in 0..2 {
            let missing = |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => lacks(&digest.to_string()),
                _ => failure("loading an archive", &error),
            };
            let manifest =
                Manifest::parse(&self.content.read(&digest, MANIFEST_BYTES_MAX).map_err(missing)?)?;
            match manifest {
                Manifest::Image(image) => {
                    let layers = image.layers.iter().map(|layer| layer.digest).collect();
                    return Ok((ImageId(image.config.digest), layers));
                }
                Manifest::Index(entries) => {
                    let fitting = choose(&entries, &Platform::here());
                    digest = fitting
                        .ok_or_else(|| {
                            ImageError::invalid("invalid archive: it has no image for this platform")
                        })?
                        .digest;
                }
            }
        }
        Err(ImageError::invalid("invalid archive: an index leads to an index"))
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, name: &str, digest: &Digest) -> Result<T, ImageError> {
        let read = self.content.read(digest, DOCUMENT_BYTES_MAX);
        let bytes = read.map_err(|error| failure(&format!("reading {name}"), &error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ImageError::invalid(format!("invalid archive: {name}: {error}")))
    }
}

fn describe_saved(image: SavedImage, files: &Files) -> Result<Described, ImageError> {
    let SavedImage { config, repo_tags, layers } = image;
    let find = |path: &String| -> Result<Digest, ImageError> {
        let inside = inside(Path::new(path)).map_err(|error| failure("loading an archive", &error))?;
        files.get(&inside).copied().ok_or_else(|| lacks(path))
    };
    let id = ImageId(find(&config)?);
    let names =
        repo_tags.unwrap_or_default().iter().map(|name| name_in_archive(name)).collect::<Result<_, _>>()?;
    let layers = layers.iter().map(find).collect::<Result<_, _>>()?;
    Ok(Described { id, layers, names })
}

fn name_in_archive(name: &str) -> Result<ImageRef, ImageError> {
    let reference = ImageRef::parse(name)?;
    match reference.digest {
        None => Ok(reference),
        Some(_) => Err(ImageError::invalid(format!("invalid archive: \"{name}\" is no name with a tag"))),
    }
}

/// The name of an image in an OCI layout; a tag alone is no name.
fn layout_name(annotations: &BTreeMap<String, String>) -> Option<ImageRef> {
    let short = annotations.get(SHORT_NAME).filter(|name| name.contains([':', '/']));
    let name = annotations.get(FULL_NAME).or(short)?;
    name_in_archive(name).ok()
}

fn lacks(what: &str) -> ImageError {
    ImageError::invalid(format!("invalid archive: it speaks of {what}, which it does not have"))
}

/// The path within the archive; one that leads out is refused, although nothing would be written there.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            Component::ParentDir if inside.pop() => {}
            _ => return Err(malformed(&format!("\"{}\" leads out of the archive", path.display()))),
        }
    }
    Ok(inside)
}

/// Files of an archive: an image has about three per layer.
const FILES_MAX: usize = 100_000;
