//! Layers: from a packed archive to a folder in its place, digest and all.
//!
//! A layer is unpacked in a folder of its own; it gets its place only when its contents have the digest that the
//! image's configuration promises. What fails is removed on the spot.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use host::files;

use crate::image::config::ImageDocument;
use crate::image::digest::{ChainId, Digest, Hashed, ImageId};
use crate::image::error::{ImageError, ImageErrorKind};
use crate::image::progress::{Counter, Progress};
use crate::image::shelf::{NewLayer, Shelf};
use crate::tape::packing::{Bounds, unpacked};
use crate::tape::unpack::unpack;
use crate::tape::{MalformedTape, Tape, malformed};

/// A folder in the making; gone unless it was moved.
#[derive(Debug)]
pub(crate) struct DraftFolder(PathBuf);

impl DraftFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DraftFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = files::remove_if_there(&self.0);
    }
}

/// An archive's contents on disk, without a place yet.
pub(crate) struct Unpacked {
    pub(crate) folder: DraftFolder,
    /// The bytes of its files.
    pub(crate) bytes: u64,
}

impl Shelf {
    /// Unpacks a packed layer, which must have this digest once unpacked.
    pub(crate) fn unpack(&self, packed: impl Read, diff_id: Digest) -> io::Result<Unpacked> {
        let bounds = Bounds::default();
        let path = self.content.free_name();
        fs::create_dir(&path)?;
        let folder = DraftFolder(path);
        // The layer's root is the container's: all its users must get in, whatever mask the daemon runs with.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let mut tape = Tape::new(Hashed::new(unpacked(packed, bounds)?));
        let bytes = unpack(&mut tape, folder.path(), bounds.entries)?;
        let mut rest = tape.into_inner();
        io::copy(&mut rest, &mut io::sink())?; // what follows the archive's end counts for the digest
        let (_, found, _) = rest.finish();
        if found != diff_id {
            return Err(malformed(&format!("its layer should have digest {diff_id}, but has {found}")));
        }
        Ok(Unpacked { folder, bytes })
    }

    /// Makes an image of a configuration and packed layers that are all in the store.
    pub(crate) fn install(
        &self,
        id: ImageId,
        blobs: &[Digest],
        progress: &Progress,
    ) -> Result<Vec<ChainId>, ImageError> {
        let document = ImageDocument::parse(&self.document_bytes(id)?)?;
        let diff_ids = &document.rootfs.diff_ids;
        if diff_ids.len() != blobs.len() {
            let (said, found) = (diff_ids.len(), blobs.len());
            return Err(ImageError::invalid(format!(
                "invalid image: it speaks of {said} layers, but has {found}"
            )));
        }
        let stacks = ChainId::stacks(diff_ids);
        for (chain, (diff_id, blob)) in stacks.iter().zip(diff_ids.iter().zip(blobs)) {
            if !self.read(|catalog| catalog.layers.contains_key(chain)) {
                self.install_layer(*chain, (*diff_id, *blob), progress)?;
            }
        }
        Ok(stacks)
    }

    /// Unpacks a packed layer that is in the store.
    pub(crate) fn install_layer(
        &self,
        chain: ChainId,
        (diff_id, blob): (Digest, Digest),
        progress: &Progress,
    ) -> Result<(), ImageError> {
        let failed = |error: io::Error| failure("loading a layer", &error);
        let file = self.content.open_blob(&blob).map_err(failed)?;
        let blob_bytes = file.metadata().map_err(failed)?.len();
        let counter = Counter::new(progress.clone(), &diff_id.short(), "Loading layer", Some(blob_bytes));
        let unpacked = self.unpack(Counted { source: file, counter }, diff_id).map_err(failed)?;
        self.place(chain, NewLayer { unpacked, diff_id, blob, blob_bytes })
    }
}

/// Tells how far a reader is.
struct Counted<R> {
    source: R,
    counter: Counter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.counter.add(read);
        Ok(read)
    }
}

/// An error of reading or writing: the archive's fault or the machine's.
pub(crate) fn failure(doing: &str, error: &io::Error) -> ImageError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<MalformedTape>()) {
        Some(malformed) => ImageError::invalid(malformed.to_string()),
        None if error.kind() == io::ErrorKind::StorageFull => {
            ImageError::new(ImageErrorKind::Machine, format!("{doing}: no space left on device"))
        }
        None => ImageError::machine(doing, error),
    }
}
