//! `pull`: an image from a registry, layer by layer, several at a time.
//!
//! A layer is written, unpacked and judged while it arrives; a broken transfer goes on where it broke. Pulls of the
//! same image share the work; when nobody waits for it any more, it stops. What was not promised is not kept.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::future::{BoxFuture, Shared};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use model::Duration;
use model::image::ImageRef;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::image::catalog;
use crate::image::config::ImageDocument;
use crate::image::content::BlobDraft;
use crate::image::credentials::Credentials;
use crate::image::digest::{ChainId, Digest, ImageId};
use crate::image::error::{ImageError, ImageErrorKind};
use crate::image::layers::failure;
use crate::image::manifest::{Descriptor, ImageManifest, Manifest, Platform, choose};
use crate::image::progress::{Counter, Progress};
use crate::image::registry::{Purpose, Registries, Session};
use crate::image::shelf::{NewLayer, Shelf};
use crate::tape::feed::{Feed, Feeder, feed};

/// How to pull.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullOptions {
    /// How to be let in.
    pub credentials: Credentials,
    /// For which platform; absent means this machine's.
    pub platform: Option<Platform>,
}

/// An image that was pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image.
    pub id: ImageId,
    /// What the registry calls it: the digest of its manifest or index.
    pub digest: Digest,
}

/// What a registry says about a reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Distribution {
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// What it runs on.
    pub platforms: Vec<Platform>,
}

/// Pulls that go on at the moment.
#[derive(Debug)]
pub(crate) struct Puller {
    pub(crate) registries: Registries,
    /// Layers on their way at a time, over all pulls.
    slots: Arc<Semaphore>,
    turns: Arc<Turns>,
    /// A mutex, since every pull looks here for itself; held for moments, never over an await.
    running: Mutex<BTreeMap<(String, PullOptions), Running>>,
}

type Work = Shared<BoxFuture<'static, Result<Pulled, ImageError>>>;

#[derive(Debug)]
struct Running {
    /// Weak: those who wait own the work, so it ends with the last of them.
    work: futures_util::future::WeakShared<BoxFuture<'static, Result<Pulled, ImageError>>>,
    progress: Progress,
}

impl Puller {
    pub(crate) fn new(registries: Registries) -> Self {
        let slots = Arc::new(Semaphore::new(LAYERS_AT_A_TIME));
        Self { registries, slots, turns: Arc::default(), running: Mutex::default() }
    }

    /// The work of this pull: a new one, or one that goes on already.
    pub(crate) fn pull(
        &self,
        shelf: &Arc<Shelf>,
        reference: &ImageRef,
        options: PullOptions,
        progress: &Progress,
    ) -> Work {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, pull| pull.work.upgrade().is_some_and(|work| work.peek().is_none()));
        let key = (reference.to_string(), options);
        if let Some((work, told)) =
            running.get(&key).and_then(|pull| Some((pull.work.upgrade()?, &pull.progress)))
        {
            told.also_to(progress);
            return work;
        }
        let pull = Pull {
            shelf: Arc::clone(shelf),
            slots: Arc::clone(&self.slots),
            turns: Arc::clone(&self.turns),
            registries: self.registries.clone(),
            reference: reference.clone(),
            options: key.1.clone(),
            progress: progress.clone(),
        };
        let work = async move { pull.run().await }.boxed().shared();
        if let Some(weak) = work.downgrade() {
            running.insert(key, Running { work: weak, progress: progress.clone() });
        }
        work
    }

    /// What the registry says about a reference, without pulling it.
    pub(crate) async fn distribution(
        &self,
        reference: &ImageRef,
        credentials: &Credentials,
    ) -> Result<Distribution, ImageError> {
        let session = Session::open(&self.registries, reference, (credentials, Purpose::Pull)).await?;
        let (manifest, bytes, digest) = session.manifest(None).await?;
        let size = bytes.len() as u64;
        let (media_type, platforms) = match manifest {
            Manifest::Index(entries) => {
                let platforms = entries.into_iter().filter_map(|entry| entry.platform).collect();
                (media_type(&bytes, "application/vnd.oci.image.index.v1+json"), platforms)
            }
            Manifest::Image(image) => {
                let document = ImageDocument::parse(&session.document(&image.config).await?)?;
                let ImageDocument { architecture, os, os_version, variant, .. } = document;
                let platform = Platform { architecture, os, os_version, variant };
                (media_type(&bytes, "application/vnd.oci.image.manifest.v1+json"), vec![platform])
            }
        };
        let descriptor = Descriptor { media_type, digest, size, platform: None, annotations: None };
        Ok(Distribution { descriptor, platforms })
    }
}

/// Lets only one pull at a time fetch a layer: images often share those below.
#[derive(Debug, Default)]
struct Turns(Mutex<BTreeMap<Digest, Weak<Semaphore>>>);

impl Turns {
    /// The queue for a layer; to be waited in.
    fn of(&self, layer: Digest) -> Arc<Semaphore> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&layer).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Semaphore::new(1));
        turns.insert(layer, Arc::downgrade(&turn));
        turn
    }
}

struct Pull {
    shelf: Arc<Shelf>,
    slots: Arc<Semaphore>,
    turns: Arc<Turns>,
    registries: Registries,
    reference: ImageRef,
    options: PullOptions,
    progress: Progress,
}

/// A layer that has to be fetched.
struct Wanted {
    chain: ChainId,
    diff_id: Digest,
    blob: Descriptor,
}

impl Pull {
    async fn run(self) -> Result<Pulled, ImageError> {
        let hold = self.shelf.hold();
        let result = self.pull().await;
        drop(hold);
        if result.is_err() {
            let shelf = Arc::clone(&self.shelf);
            // The pull's own error is what is told; what cannot be cleared now is cleared at the next start.
            let _ = spawn_blocking(move || shelf.clear()).await;
        }
        result
    }

    async fn pull(&self) -> Result<Pulled, ImageError> {
        let tag = self.reference.digest.as_deref().or(self.reference.tag_or_latest()).unwrap_or_default();
        let session =
            Session::open(&self.registries, &self.reference, (&self.options.credentials, Purpose::Pull))
                .await?;
        let (manifest, _, digest) = session.manifest(None).await?;
        self.progress.headline(tag, format!("Pulling from {}", self.reference.path));
        let image = self.image_of(&session, manifest).await?;
        let id = ImageId(image.config.digest);
        let is_new = !self.shelf.read(|catalog| catalog.images.contains_key(&id));
        let document = self.document(&session, &image).await?;
        let stacks = ChainId::stacks(&document.rootfs.diff_ids);
        self.fetch(&session, &image, (&stacks, &document.rootfs.diff_ids)).await?;
        self.add(id, stacks, digest).await?;
        self.progress.status(format!("Digest: {digest}"));
        let outcome = if is_new { "Downloaded newer image for" } else { "Image is up to date for" };
        self.progress.status(format!("Status: {outcome} {}", self.reference.familiar()));
        Ok(Pulled { id, digest })
    }

    /// The image of the wanted platform.
    async fn image_of(&self, session: &Session, manifest: Manifest) -> Result<ImageManifest, ImageError> {
        let entries = match manifest {
            Manifest::Image(image) => return Ok(*image),
            Manifest::Index(entries) => entries,
        };
        let platform = self.options.platform.clone().unwrap_or_else(Platform::here);
        let Some(entry) = choose(&entries, &platform) else {
            let Platform { architecture, os, .. } = platform;
            let message =
                format!("no matching manifest for {os}/{architecture} in the manifest list entries");
            return Err(ImageError::new(ImageErrorKind::NotFound, message));
        };
        match session.manifest(Some(entry.digest)).await?.0 {
            Manifest::Image(image) => Ok(*image),
            Manifest::Index(_) => Err(ImageError::invalid("invalid manifest: an index leads to an index")),
        }
    }

    /// The image's configuration, which is kept if it speaks of the layers that the manifest has.
    async fn document(
        &self,
        session: &Session,
        image: &ImageManifest,
    ) -> Result<Arc<ImageDocument>, ImageError> {
        let id = ImageId(image.config.digest);
        if self.shelf.read(|catalog| catalog.images.contains_key(&id)) {
            return self.shelf.document(id);
        }
        let bytes = session.document(&image.config).await?;
        let document = ImageDocument::parse(&bytes)?;
        let (said, found) = (document.rootfs.diff_ids.len(), image.layers.len());
        if said != found {
            return Err(ImageError::invalid(format!(
                "invalid image: it speaks of {said} layers, but has {found}"
            )));
        }
        let shelf = Arc::clone(&self.shelf);
        let written = blocking(move || {
            shelf.content.put(&bytes).map_err(|error| failure("writing an image's configuration", &error))
        });
        written.await?;
        Ok(Arc::new(document))
    }

    /// Fetches the layers that are not here.
    async fn fetch(
        &self,
        session: &Session,
        image: &ImageManifest,
        (stacks, diff_ids): (&[ChainId], &[Digest]),
    ) -> Result<(), ImageError> {
        let mut wanted = Vec::new();
        for ((chain, diff_id), blob) in stacks.iter().zip(diff_ids).zip(&image.layers) {
            if self.shelf.read(|catalog| catalog.layers.contains_key(chain)) {
                self.progress.about(&blob.digest.short(), "Already exists");
            } else {
                self.progress.about(&blob.digest.short(), "Pulling fs layer");
                wanted.push(Wanted { chain: *chain, diff_id: *diff_id, blob: blob.clone() });
            }
        }
        for waiting in wanted.iter().skip(LAYERS_AT_A_TIME) {
            self.progress.about(&waiting.blob.digest.short(), "Waiting");
        }
        let stop = CancellationToken::new();
        let fetched = stream::iter(wanted).map(|layer| self.fetch_layer(session, layer, &stop));
        let outcomes: Vec<_> = fetched.buffer_unordered(LAYERS_AT_A_TIME).collect().await;
        outcomes.into_iter().collect()
    }

    /// Fetches one layer; the first that fails stops the others, and all are waited for.
    async fn fetch_layer(
        &self,
        session: &Session,
        layer: Wanted,
        stop: &CancellationToken,
    ) -> Result<(), ImageError> {
        let Wanted { chain, diff_id, blob } = layer;
        let turn = self.turns.of(blob.digest);
        let stopped = || ImageError::new(ImageErrorKind::Registry, "another layer could not be fetched");
        let waited = stop.run_until_cancelled(async { (turn.acquire().await, self.slots.acquire().await) });
        let Some((Ok(_turn), Ok(_slot))) = waited.await else { return Err(stopped()) };
        if self.is_here((chain, diff_id, blob.digest)).await? {
            self.progress.about(&blob.digest.short(), "Already exists");
            return Ok(());
        }
        let (feeder, feed) = feed();
        let shelf = Arc::clone(&self.shelf);
        let promised = blob.digest;
        let work = blocking(move || receive(&shelf, feed, (chain, diff_id, promised)));
        let sending = stop.run_until_cancelled(self.send(session, &blob, feeder));
        let (sent, received) = tokio::join!(sending, work);
        // A transfer that broke explains a layer that could not be read, but not the other way round.
        let outcome = match sent.unwrap_or_else(|| Err(stopped())).and(received) {
            Ok(Received::Whole) => Ok(()),
            Ok(Received::Other(found)) => Err(session.lie(promised, found)),
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(()) => self.progress.about(&promised.short(), "Pull complete"),
            Err(_) => stop.cancel(),
        }
        outcome
    }

    /// Whether another pull has brought the layer meanwhile, be it below other layers.
    async fn is_here(&self, (chain, diff_id, blob): (ChainId, Digest, Digest)) -> Result<bool, ImageError> {
        if self.shelf.read(|catalog| catalog.layers.contains_key(&chain)) {
            return Ok(true);
        }
        if !self.shelf.read(|catalog| catalog.layers.values().any(|layer| layer.blob == blob)) {
            return Ok(false);
        }
        let shelf = Arc::clone(&self.shelf);
        let unpacked = blocking(move || shelf.install_layer(chain, (diff_id, blob), &Progress::silent()));
        unpacked.await.map(|()| true)
    }

    /// Downloads a layer into a feed, from where it broke off again and again.
    async fn send(&self, session: &Session, blob: &Descriptor, feeder: Feeder) -> Result<(), ImageError> {
        let short = blob.digest.short();
        let mut counter = Counter::new(self.progress.clone(), &short, "Downloading", Some(blob.size));
        let (mut sent, mut attempts) = (0, 0);
        while sent < blob.size {
            let before = sent;
            let outcome = send_from(session, blob, &feeder, (&mut sent, &mut counter)).await;
            attempts = if sent > before { 1 } else { attempts + 1 };
            match outcome {
                Ok(Sent::Enough) => return Ok(()),
                Ok(Sent::All) => {}
                Err(error) if error.kind != ImageErrorKind::Registry || attempts >= ATTEMPTS_MAX => {
                    return Err(error);
                }
                Err(_) => {
                    self.progress.about(&short, "Retrying");
                    tokio::time::sleep(RETRY_DELAY * attempts + jitter()).await;
                }
            }
        }
        feeder.end(Ok(())).await;
        self.progress.about(&short, "Download complete");
        Ok(())
    }

    /// Puts the image into the catalogue, under the name it was pulled by.
    async fn add(&self, id: ImageId, stacks: Vec<ChainId>, digest: Digest) -> Result<(), ImageError> {
        let (shelf, reference) = (Arc::clone(&self.shelf), self.reference.clone());
        blocking(move || {
            let now = host::clock::now().nanos();
            shelf.add_image(id, &stacks, |catalog| {
                if let Some(image) = catalog.images.get_mut(&id) {
                    image.digests.insert(format!("{}@{digest}", catalog::full_name(&reference)));
                }
                if reference.digest.is_some() { Ok(()) } else { catalog.name(&reference, id, now) }
            })
        })
        .await
    }
}

/// Keeps machines that were cut off together from coming back together.
fn jitter() -> Duration {
    Duration::from_millis(host::chance::bytes::<1>().map_or(0, |[byte]| byte.into()))
}

enum Sent {
    /// Every byte.
    All,
    /// The reader has gone; it knows why.
    Enough,
}

async fn send_from(
    session: &Session,
    blob: &Descriptor,
    feeder: &Feeder,
    (sent, counter): (&mut u64, &mut Counter),
) -> Result<Sent, ImageError> {
    let mut stream = session.blob(blob, *sent).await?;
    let mut surplus = stream.surplus;
    while *sent < blob.size {
        let chunk = stream.bytes.try_next().await.map_err(|error| session.unreachable(&error))?;
        let Some(mut chunk) = chunk else {
            return Err(session.unreachable(&io::Error::from(io::ErrorKind::UnexpectedEof)));
        };
        let skipped = usize::try_from(surplus).unwrap_or(usize::MAX).min(chunk.len());
        surplus -= skipped as u64;
        chunk = chunk.split_off(skipped);
        chunk.truncate(usize::try_from(blob.size - *sent).unwrap_or(usize::MAX));
        *sent += chunk.len() as u64;
        counter.add(chunk.len());
        if feeder.send(chunk).await.is_err() {
            return Ok(Sent::Enough);
        }
    }
    Ok(Sent::All)
}

enum Received {
    /// The layer, in its place.
    Whole,
    /// Something of another digest, which is gone again.
    Other(Digest),
}

/// Writes, unpacks and judges a layer while it arrives.
fn receive(
    shelf: &Shelf,
    feed: Feed,
    (chain, diff_id, promised): (ChainId, Digest, Digest),
) -> Result<Received, ImageError> {
    let failed = |error: io::Error| failure("unpacking a layer", &error);
    let mut tee = Tee { source: feed, copy: shelf.content.draft().map_err(failed)? };
    let unpacked = shelf.unpack(&mut tee, diff_id);
    // The rest counts for the digest; and a wrong digest says more than whatever it made go wrong.
    io::copy(&mut tee, &mut io::sink()).map_err(failed)?;
    match tee.copy.keep_as(promised).map_err(failed)? {
        Err(found) => Ok(Received::Other(found)),
        Ok(blob_bytes) => {
            let unpacked = unpacked.map_err(failed)?;
            shelf.place(chain, NewLayer { unpacked, diff_id, blob: promised, blob_bytes })?;
            Ok(Received::Whole)
        }
    }
}

/// Reads, and keeps a copy of what was read.
struct Tee {
    source: Feed,
    copy: BlobDraft,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.copy.write_all(&buffer[..read])?;
        Ok(read)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(ImageError::new(ImageErrorKind::Machine, format!("the work broke off: {error}")))
    })
}

/// The type a manifest says it is of, or else the usual one.
fn media_type(manifest: &[u8], usual: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    let typed = serde_json::from_slice::<Typed>(manifest).ok().and_then(|typed| typed.media_type);
    typed.unwrap_or_else(|| usual.to_owned())
}

/// Beyond it, layers only compete with each other.
const LAYERS_AT_A_TIME: usize = 4;

/// Attempts in a row that bring not one byte.
const ATTEMPTS_MAX: u32 = 5;

const RETRY_DELAY: Duration = Duration::from_millis(300);
