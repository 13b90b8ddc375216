//! Images on this machine: fetched from registries and archives, unpacked for overlays, named, shown, removed.
//!
//! In: names as users write them, streams of archives, registries. Out: folders that a container's overlay stands
//! on, and what the image says a container needs. [`Images`] is the only door; it may be cloned freely.
//!
//! Not here: which images a service wants, which containers use them ([`Uses`] is handed in), and mounting.
//! Nothing is ever held whole in memory but configurations and manifests, and these are bounded.

mod catalog;
mod config;
mod content;
mod digest;
mod error;
mod progress;
mod remove;
mod shelf;
mod show;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::image::ImageRef;

pub use config::{Healthcheck, ImageConfig};
pub use digest::{ChainId, Digest, ImageId};
pub use error::{ImageError, ImageErrorKind};
pub use progress::{Progress, ProgressDetail, ProgressLine};
pub use remove::{Insistence, Pruned, Removed, Use, UseState, Uses};
pub use show::{HistoryItem, ImageFilter, ImageInspect, ImageSummary, ImageUsage};

use shelf::Shelf;

/// The images of this machine.
#[derive(Clone, Debug)]
pub struct Images(Arc<Shelf>);

impl Images {
    /// Opens the images below this folder. What broken work left there is cleared away.
    ///
    /// # Errors
    /// If the folder cannot be made or its catalogue cannot be read.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Shelf::open(root)?)))
    }

    /// The image a user means: by name, digest, id, or the first letters of its id.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn resolve(&self, name: &str) -> Result<ImageId, ImageError> {
        self.0.read(|catalog| catalog.resolve(name))
    }

    /// What a container takes from this image.
    ///
    /// # Errors
    /// If there is no such image.
    pub fn config(&self, id: ImageId) -> Result<Arc<ImageConfig>, ImageError> {
        Ok(Arc::clone(&self.0.document(id)?.config))
    }

    /// The folders a container's overlay stands on, topmost first.
    ///
    /// All lie in [`Images::layers_folder`] under names of a few letters: a mount of very many layers must name them
    /// from there, since its options have to fit one page of memory.
    ///
    /// # Errors
    /// If there is no such image.
    pub fn layers(&self, id: ImageId) -> Result<Vec<PathBuf>, ImageError> {
        self.0.read(|catalog| {
            let layers = catalog.layers_of(id)?;
            Ok(layers.iter().rev().map(|layer| self.0.folder_of(&layer.link)).collect())
        })
    }

    /// The folder in which all layers lie.
    pub fn layers_folder(&self) -> PathBuf {
        self.0.layers_folder()
    }

    /// Gives an image one more name; another image that had it loses it.
    ///
    /// # Errors
    /// If there is no such image, or the name has a digest.
    pub fn tag(&self, source: &str, target: &ImageRef) -> Result<ImageId, ImageError> {
        let now = host::clock::now().nanos();
        self.0.change(|catalog| {
            let id = catalog.resolve(source)?;
            catalog.name(target, id, now)?;
            Ok(id)
        })
    }

    /// Takes a name away, and with its last name the image.
    ///
    /// # Errors
    /// If there is no such image, or something is in the way.
    pub fn remove(
        &self,
        name: &str,
        insistence: Insistence,
        uses: &Uses,
    ) -> Result<Vec<Removed>, ImageError> {
        self.0.remove(name, insistence, uses)
    }

    /// Takes away what nothing uses: images without a name, or all if the filter says `dangling: Some(false)`.
    ///
    /// # Errors
    /// If the filter names an unknown image, or the disk refuses.
    pub fn prune(&self, filter: &ImageFilter, uses: &Uses) -> Result<Pruned, ImageError> {
        self.0.prune(filter, uses)
    }

    /// The images that pass the filter, newest first.
    ///
    /// # Errors
    /// If the filter names an unknown image.
    pub fn list(&self, filter: &ImageFilter, uses: &Uses) -> Result<Vec<ImageSummary>, ImageError> {
        self.0.list(filter, uses)
    }

    /// Everything about one image.
    ///
    /// # Errors
    /// If there is no such image.
    pub fn inspect(&self, name: &str) -> Result<ImageInspect, ImageError> {
        self.0.inspect(name)
    }

    /// How one image came to be, newest step first.
    ///
    /// # Errors
    /// If there is no such image.
    pub fn history(&self, name: &str) -> Result<Vec<HistoryItem>, ImageError> {
        self.0.history(name)
    }

    /// How much room images take.
    ///
    /// # Errors
    /// If an image's configuration cannot be read.
    pub fn usage(&self, uses: &Uses) -> Result<ImageUsage, ImageError> {
        self.0.usage(uses)
    }
}
