//! `push`: an image to a registry. Layers go as they came; those the registry has are not sent again.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use model::image::ImageRef;
use tokio_util::io::ReaderStream;

use crate::image::archive::ToSave;
use crate::image::catalog;
use crate::image::credentials::Credentials;
use crate::image::digest::Digest;
use crate::image::error::{ImageError, ImageErrorKind};
use crate::image::layers::failure;
use crate::image::manifest::Descriptor;
use crate::image::progress::{Counter, Progress, PushResult};
use crate::image::registry::{Purpose, Registries, Session};
use crate::image::shelf::Shelf;

/// Sends the image of this name to its registry, and tells what the registry calls it.
pub(crate) async fn push(
    shelf: &Arc<Shelf>,
    registries: &Registries,
    reference: &ImageRef,
    (credentials, progress): (&Credentials, &Progress),
) -> Result<Digest, ImageError> {
    let _hold = shelf.hold();
    let image = find(shelf, reference)?;
    let manifest = shelf.manifest(&image).map_err(|error| failure("reading an image", &error))?;
    progress.status(format!("The push refers to repository [{}]", catalog::full_name(reference)));
    let session = Session::open(registries, reference, (credentials, Purpose::Push)).await?;
    for layer in &manifest.layers {
        progress.about(&layer.digest.short(), "Preparing");
    }
    let sending = stream::iter(manifest.layers.clone()).map(|layer| send(shelf, &session, layer, progress));
    sending.buffer_unordered(LAYERS_AT_A_TIME).try_collect::<()>().await?;
    send(shelf, &session, manifest.config.clone(), &Progress::silent()).await?;

    let bytes = serde_json::to_vec(&manifest).expect("a manifest of texts and numbers can be written");
    let (digest, size) = (Digest::of(&bytes), bytes.len());
    session.push_manifest(bytes).await?;
    let known = format!("{}@{digest}", catalog::full_name(reference));
    shelf.change(|catalog| {
        if let Some(found) = catalog.images.get_mut(&image.id) {
            found.digests.insert(known);
        }
        Ok(())
    })?;
    let tag = reference.tag_or_latest().unwrap_or_default().to_owned();
    progress.status(format!("{tag}: digest: {digest} size: {size}"));
    progress.pushed(PushResult { tag, digest, size });
    Ok(digest)
}

fn find(shelf: &Shelf, reference: &ImageRef) -> Result<ToSave, ImageError> {
    if reference.digest.is_some() {
        return Err(ImageError::invalid("cannot push a digest reference"));
    }
    let name = reference.familiar();
    let missing = || {
        let message = format!("An image does not exist locally with the tag: {name}");
        ImageError::new(ImageErrorKind::NotFound, message)
    };
    shelf.read(|catalog| catalog.find(reference)).ok_or_else(missing)?;
    shelf.to_save(std::slice::from_ref(&name))?.pop().ok_or_else(missing)
}

async fn send(
    shelf: &Shelf,
    session: &Session,
    blob: Descriptor,
    progress: &Progress,
) -> Result<(), ImageError> {
    let short = blob.digest.short();
    if session.has_blob(&blob.digest).await? {
        progress.about(&short, "Layer already exists");
        return Ok(());
    }
    let file = tokio::fs::File::open(shelf.content.path(&blob.digest)).await;
    let file = file.map_err(|error| failure("reading a layer", &error))?;
    let mut counter = Counter::new(progress.clone(), &short, "Pushing", Some(blob.size));
    let chunks =
        ReaderStream::with_capacity(file, CHUNK_BYTES).inspect_ok(move |chunk| counter.add(chunk.len()));
    session.push_blob(&blob, chunks).await?;
    progress.about(&short, "Pushed");
    Ok(())
}

const LAYERS_AT_A_TIME: usize = 4;

const CHUNK_BYTES: usize = 64 << 10;
