//! Where images stand on this machine: the catalogue in memory and on disk, blobs, unpacked layers.
//!
//! Every change that users see goes through [`Shelf::change`]: it is written before it is seen. Work that brings layers holds the
//! shelf meanwhile ([`Shelf::hold`]), so that nothing it counts on is cleared away before an image stands on it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host::files::{self, Access};

use crate::image::catalog::{self, Catalog, Image, Layer};
use crate::image::config::{DOCUMENT_BYTES_MAX, ImageDocument};
use crate::image::content::Content;
use crate::image::digest::{ChainId, Digest, ImageId};
use crate::image::error::ImageError;
use crate::image::layers::Unpacked;

/// Where images stand.
#[derive(Debug)]
pub(crate) struct Shelf {
    root: PathBuf,
    pub(crate) content: Content,
    /// A mutex, since readers want an answer without waiting for a turn; held for moments, never over an await.
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    catalog: Catalog,
    /// Read once each; a few kilobytes per image in use.
    documents: BTreeMap<ImageId, Arc<ImageDocument>>,
    holds: usize,
}

/// A promise that nothing is cleared away; ends when dropped.
pub(crate) struct Hold<'a>(&'a Shelf);

/// A layer that has been unpacked and has no place yet.
pub(crate) struct NewLayer {
    pub(crate) unpacked: Unpacked,
    pub(crate) diff_id: Digest,
    pub(crate) blob: Digest,
    pub(crate) blob_bytes: u64,
}

impl Shelf {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        files::make_folder(root, Access::Private)?;
        let catalog = Catalog::open(&catalog::file(root))?;
        let content = Content::open(root)?;
        files::make_folder(&root.join(LAYERS), Access::Private)?;
        let book = Book { catalog, documents: BTreeMap::new(), holds: 0 };
        let shelf = Self { root: root.to_owned(), content, book: Mutex::new(book) };
        shelf.sweep()?;
        Ok(shelf)
    }

    /// Looks something up.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Catalog) -> T) -> T {
        look(&self.book().catalog)
    }

    /// Changes the catalogue: all of it on disk and then in memory, or nothing.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Catalog) -> Result<T, ImageError>,
    ) -> Result<T, ImageError> {
        let mut book = self.book();
        let mut next = book.catalog.clone();
        let result = change(&mut next)?;
        next.write(&catalog::file(&self.root))
            .map_err(|error| ImageError::machine("writing the image catalogue", &error))?;
        book.catalog = next;
        Ok(result)
    }

    /// What the image says about itself.
    pub(crate) fn document(&self, id: ImageId) -> Result<Arc<ImageDocument>, ImageError> {
        if let Some(document) = self.book().documents.get(&id) {
            return Ok(Arc::clone(document));
        }
        let bytes = self.document_bytes(id)?;
        let document = Arc::new(ImageDocument::parse(&bytes)?);
        let mut book = self.book();
        if book.catalog.images.contains_key(&id) {
            book.documents.insert(id, Arc::clone(&document));
        }
        Ok(document)
    }

    /// The same as it was written.
    pub(crate) fn document_bytes(&self, id: ImageId) -> Result<Vec<u8>, ImageError> {
        self.content.read(&id.0, DOCUMENT_BYTES_MAX).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ImageError::no_such_image(&id.to_string()),
            _ => ImageError::machine(&format!("reading the configuration of image {id}"), &error),
        })
    }

    /// Keeps everything where it is until the hold is dropped.
    pub(crate) fn hold(&self) -> Hold<'_> {
        self.book().holds += 1;
        Hold(self)
    }

    /// Gives an unpacked layer its place, unless another was quicker.
    ///
    /// The catalogue on disk learns of it with the first image that stands on it: until then it may go any time.
    pub(crate) fn place(&self, chain: ChainId, new: NewLayer) -> Result<(), ImageError> {
        let NewLayer { unpacked: Unpacked { folder, bytes }, diff_id, blob, blob_bytes } = new;
        let mut book = self.book();
        if book.catalog.layers.contains_key(&chain) {
            return Ok(());
        }
        let link = book.catalog.new_link();
        let placed = fs::rename(folder.path(), self.folder_of(&link));
        placed.map_err(|error| ImageError::machine("placing a layer", &error))?;
        book.catalog.layers.insert(chain, Layer { link, diff_id, blob, blob_bytes, bytes });
        Ok(())
    }

    /// Makes an image of placed layers, or adds what is new about one that is there.
    pub(crate) fn add_image(
        &self,
        id: ImageId,
        stacks: &[ChainId],
        name: impl FnOnce(&mut Catalog) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        if !self.read(|catalog| catalog.images.contains_key(&id)) {
            self.settle().map_err(|error| ImageError::machine("writing layers to the disk", &error))?;
        }
        self.change(|catalog| {
            let image = Image { stacks: stacks.to_vec(), ..Image::default() };
            catalog.images.entry(id).or_insert(image);
            catalog.layers_of(id)?;
            name(catalog)
        })
    }

    /// The folder of a layer.
    pub(crate) fn folder_of(&self, link: &str) -> PathBuf {
        self.layers_folder().join(link)
    }

    /// The folder of all layers.
    pub(crate) fn layers_folder(&self) -> PathBuf {
        self.root.join(LAYERS)
    }

    /// Clears away layers and blobs that no image needs, unless somebody holds the shelf. Tells which layers went
    /// and how many bytes that freed.
    pub(crate) fn clear(&self) -> Result<(Vec<ChainId>, u64), ImageError> {
        let (gone, bytes, folders) = {
            let mut book = self.book();
            if book.holds > 0 {
                return Ok((Vec::new(), 0));
            }
            self.take_unused(&mut book)
                .map_err(|error| ImageError::machine("clearing away layers", &error))?
        };
        for folder in folders {
            files::remove_if_there(&folder)
                .map_err(|error| ImageError::machine("clearing away layers", &error))?;
        }
        Ok((gone, bytes))
    }

    /// Under the lock only what is quick: folders are moved out of the way, to be removed after.
    fn take_unused(&self, book: &mut Book) -> io::Result<(Vec<ChainId>, u64, Vec<PathBuf>)> {
        let gone = book.catalog.unused_layers();
        let mut next = book.catalog.clone();
        let layers: Vec<Layer> = gone.iter().filter_map(|chain| next.layers.remove(chain)).collect();
        if !gone.is_empty() {
            next.write(&catalog::file(&self.root))?;
            book.catalog = next;
        }
        let mut folders = Vec::with_capacity(layers.len());
        for layer in &layers {
            let folder = self.content.free_name();
            fs::rename(self.folder_of(&layer.link), &folder)?;
            folders.push(folder);
        }
        let mut bytes = layers.iter().map(|layer| layer.bytes).sum();
        bytes += self.remove_blobs(&book.catalog)?;
        let Book { catalog, documents, holds: _ } = book;
        documents.retain(|id, _| catalog.images.contains_key(id));
        Ok((gone, bytes, folders))
    }

    fn remove_blobs(&self, catalog: &Catalog) -> io::Result<u64> {
        let needed = |blob: &Digest| {
            catalog.images.contains_key(&ImageId(*blob))
                || catalog.layers.values().any(|layer| layer.blob == *blob)
        };
        let mut bytes = 0;
        for blob in self.content.all()?.iter().filter(|blob| !needed(blob)) {
            bytes += fs::metadata(self.content.path(blob)).map_or(0, |found| found.len());
            self.content.remove(blob)?;
        }
        Ok(bytes)
    }

    /// At the start: removes folders that the catalogue does not know, and what nothing needs.
    fn sweep(&self) -> io::Result<()> {
        let known: Vec<String> =
            self.read(|catalog| catalog.layers.values().map(|layer| layer.link.clone()).collect());
        for found in fs::read_dir(self.layers_folder())? {
            let found = found?;
            if !known.iter().any(|link| found.file_name() == link.as_str()) {
                files::remove_if_there(&found.path())?;
            }
        }
        self.clear().map(drop).map_err(|error| io::Error::other(error.message))
    }

    /// What was written is on the disk before the catalogue speaks of it.
    fn settle(&self) -> io::Result<()> {
        Ok(nix::unistd::syncfs(fs::File::open(&self.root)?)?)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The catalogue is replaced whole, so a panic elsewhere leaves it whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.book().holds -= 1;
    }
}

/// A short name: it is part of every mount.
const LAYERS: &str = "l";
