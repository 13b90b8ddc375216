//! Images on this machine: fetched from registries and archives, unpacked for overlays, named, shown, removed.
//!
//! In: names as users write them, streams of archives, registries. Out: folders that a container's overlay stands
//! on, and what the image says a container needs. [`Images`] is the only door; it may be cloned freely.
//!
//! Not here: which images a service wants, which containers use them ([`Uses`] is handed in), and mounting.
//! Nothing is ever held whole in memory but configurations and manifests, and these are bounded.

mod archive;
mod catalog;
mod config;
mod content;
mod credentials;
mod digest;
mod error;
mod identity;
mod layers;
mod manifest;
mod progress;
mod pull;
mod push;
mod registry;
mod remove;
mod shelf;
mod show;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use model::image::ImageRef;

pub use archive::{ImportOptions, Loaded};
pub use config::{Healthcheck, ImageConfig};
pub use credentials::Credentials;
pub use digest::{ChainId, Digest, ImageId};
pub use error::{ImageError, ImageErrorKind};
pub use manifest::{Descriptor, Platform};
pub use progress::{Progress, ProgressDetail, ProgressLine, PushResult};
pub use pull::{Distribution, PullOptions, Pulled};
pub use registry::Registries;
pub use remove::{Insistence, Pruned, Removed, Use, UseState, Uses};
pub use show::{HistoryItem, ImageFilter, ImageInspect, ImageSummary, ImageUsage};

use crate::tape::feed::{self, Feed};
use pull::Puller;
use shelf::Shelf;

/// The images of this machine.
#[derive(Clone, Debug)]
pub struct Images(Arc<Shelf>, Arc<Puller>);

impl Images {
    /// Opens the images below this folder. What broken work left there is cleared away.
    ///
    /// # Errors
    /// If the folder cannot be made or its catalogue cannot be read.
    pub fn open(root: &Path) -> io::Result<Self> {
        Self::open_with(root, Registries::default())
    }

    /// The same, for whom registries are to be talked to in other ways than the usual.
    ///
    /// # Errors
    /// As [`Images::open`].
    pub fn open_with(root: &Path, registries: Registries) -> io::Result<Self> {
        Ok(Self(Arc::new(Shelf::open(root)?), Arc::new(Puller::new(registries))))
    }

    /// Fetches an image from its registry. Pulls of the same image share the work, and stop when nobody waits for it.
    ///
    /// # Errors
    /// In Docker's words if the registry has no such image, or does not let us in; nothing of it is kept then.
    pub async fn pull(
        &self,
        reference: &ImageRef,
        options: PullOptions,
        progress: Progress,
    ) -> Result<Pulled, ImageError> {
        self.1.pull(&self.0, reference, options, &progress).await
    }

    /// Sends the image of this name to its registry. Tells what the registry calls it.
    ///
    /// # Errors
    /// If there is no such image here, or the registry does not take it.
    pub async fn push(
        &self,
        reference: &ImageRef,
        credentials: &Credentials,
        progress: &Progress,
    ) -> Result<Digest, ImageError> {
        push::push(&self.0, &self.1.registries, reference, (credentials, progress)).await
    }

    /// What a registry says about a reference, without fetching it: for pinning digests.
    ///
    /// # Errors
    /// As [`Images::pull`].
    pub async fn distribution(
        &self,
        reference: &ImageRef,
        credentials: &Credentials,
    ) -> Result<Distribution, ImageError> {
        self.1.distribution(reference, credentials).await
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

    /// How many bytes its files take.
    ///
    /// # Errors
    /// If there is no such image.
    pub fn bytes(&self, id: ImageId) -> Result<u64, ImageError> {
        self.0.read(|catalog| Ok(catalog.layers_of(id)?.iter().map(|layer| layer.bytes).sum()))
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

    /// Takes a name away, and with its last name the image. Removes folders: to be called where blocking is allowed.
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
    /// Removes folders: to be called where blocking is allowed.
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

    /// Loads all images of an archive, in the format of `docker save` or of the OCI layout, packed or not.
    ///
    /// # Errors
    /// If the archive is refused, or the disk does not take it; nothing of it is kept then.
    pub async fn load(
        &self,
        archive: impl Stream<Item = io::Result<Bytes>>,
        progress: Progress,
    ) -> Result<Vec<Loaded>, ImageError> {
        self.consume(archive, move |shelf, feed| shelf.load(feed, &progress)).await
    }

    /// Makes an image of the archive of a root file system, packed or not.
    ///
    /// # Errors
    /// If the archive or a change is refused, or the disk does not take it; nothing of it is kept then.
    pub async fn import(
        &self,
        archive: impl Stream<Item = io::Result<Bytes>>,
        options: ImportOptions,
    ) -> Result<ImageId, ImageError> {
        self.consume(archive, move |shelf, feed| shelf.import(feed, options)).await
    }

    /// One archive of these images, for `docker load` and others. Whoever stops reading stops the work.
    ///
    /// # Errors
    /// If one of the names means nothing. What goes wrong later is the stream's last item.
    pub fn save(
        &self,
        names: &[String],
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, ImageError> {
        let images = self.0.to_save(names)?;
        let shelf = Arc::clone(&self.0);
        Ok(feed::written(move |chunks| {
            let _hold = shelf.hold();
            shelf.save(&images, chunks)
        }))
    }

    /// Lets blocking work consume a stream, and clears away what it leaves if it fails.
    async fn consume<T: Send + 'static>(
        &self,
        stream: impl Stream<Item = io::Result<Bytes>>,
        work: impl FnOnce(&Shelf, Feed) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        let shelf = Arc::clone(&self.0);
        let work = move |feed: Feed| {
            let hold = shelf.hold();
            let result = work(&shelf, feed);
            drop(hold);
            let cleared = shelf.clear();
            result.and_then(|done| cleared.map(|_| done))
        };
        feed::consumed(stream, work).await.unwrap_or_else(|error| {
            Err(ImageError::new(ImageErrorKind::Machine, format!("the work broke off: {error}")))
        })
    }
}
