//! The image of a task: fetched if it must be, and as a container needs to know it.
//!
//! A reference with a digest means one image, so what is here is used. A reference with a tag only may mean another
//! image by now: the registry is asked, but neither for every task of a service nor for long, and a registry that is
//! down fails no task whose image is here (`pains.md`, 15).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use control::worker::Failure;
use model::image::ImageRef;
use model::spec::container::ContainerSpec;
use model::{Duration, Timestamp};
use runtime::container::description::{ImageDefaults, ImageUse};
use runtime::container::health::HealthTest;
use runtime::image::{
    Credentials, ImageConfig, ImageError, ImageErrorKind, ImageId, Images, Progress, PullOptions,
};
use tokio::sync::OnceCell;
use tracing::info;

/// How long a registry's answer for a tag holds.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// How long a registry may take to say what a tag means now, when an image of that name is here.
const ASK_MAX: Duration = Duration::from_secs(2);

/// When a registry was asked for a tag, and whether it has answered.
type Asked = (Timestamp, Arc<OnceCell<()>>);

/// The images of tasks.
#[derive(Clone, Debug)]
pub(crate) struct TaskImages {
    images: Images,
    /// A lock and no channel: it is held for one look, and all waiting is done in the cells.
    asked: Arc<Mutex<BTreeMap<String, Asked>>>,
}

impl TaskImages {
    /// The images that tasks use, out of these.
    pub(crate) fn new(images: Images) -> Self {
        Self { images, asked: Arc::default() }
    }

    /// Makes sure that the image of a task is here, as fresh as it should be.
    pub(crate) async fn fetch(&self, spec: &ContainerSpec) -> Result<ImageUse, Failure> {
        let reference = ImageRef::parse(&spec.image).map_err(|refusal| rejected(refusal.message))?;
        let credentials = Credentials::parse(&spec.registry_auth.0).map_err(failed)?;
        match self.images.resolve(&spec.image) {
            Ok(_) if reference.digest.is_none() => self.refresh(&reference, credentials).await,
            Ok(_) => {}
            Err(_) => self.pull(&reference, credentials).await.map_err(failed)?,
        }
        let id = self.images.resolve(&spec.image).map_err(failed)?;
        image_use(&self.images, &spec.image, id).map_err(failed)
    }

    /// Asks the registry whether the tag means another image by now, once for all tasks that ask at the same time.
    async fn refresh(&self, reference: &ImageRef, credentials: Credentials) {
        let cell = self.cell(&reference.to_string());
        cell.get_or_init(|| async {
            match self.is_current(reference, &credentials).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = self.pull(reference, credentials).await {
                        info!("using the image {} that is here: {error}", reference.familiar());
                    }
                }
                Err(why) => info!("using the image {} that is here: {why}", reference.familiar()),
            }
        })
        .await;
    }

    async fn is_current(&self, reference: &ImageRef, credentials: &Credentials) -> Result<bool, String> {
        let asked = tokio::time::timeout(ASK_MAX, self.images.distribution(reference, credentials)).await;
        let answer = asked
            .map_err(|_| "the registry takes too long".to_owned())?
            .map_err(|error| error.to_string())?;
        let known =
            self.images.inspect(&reference.familiar()).map_err(|error| error.to_string())?.repo_digests;
        let digest = answer.descriptor.digest.to_string();
        Ok(known.iter().any(|known| known.ends_with(&digest)))
    }

    async fn pull(&self, reference: &ImageRef, credentials: Credentials) -> Result<(), ImageError> {
        let options = PullOptions { credentials, platform: None };
        self.images.pull(reference, options, Progress::silent()).await.map(drop)
    }

    fn cell(&self, reference: &str) -> Arc<OnceCell<()>> {
        let now = host::clock::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, (at, _)| now.since(*at) < FRESH_FOR);
        let (_, cell) = asked.entry(reference.to_owned()).or_insert_with(|| (now, Arc::default()));
        Arc::clone(cell)
    }
}

/// An image as a container needs to know it.
pub(crate) fn image_use(images: &Images, reference: &str, id: ImageId) -> Result<ImageUse, ImageError> {
    Ok(ImageUse {
        reference: reference.to_owned(),
        id: id.to_string(),
        layers: images.layers(id)?,
        defaults: defaults(&*images.config(id)?),
    })
}

fn defaults(config: &ImageConfig) -> ImageDefaults {
    let duration =
        |nanos: i64| u64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos);
    let health = config.healthcheck.as_ref().map(|health| HealthTest {
        test: health.test.clone(),
        interval: duration(health.interval),
        timeout: duration(health.timeout),
        retries: u32::try_from(health.retries).unwrap_or(0),
        start_period: duration(health.start_period),
        start_interval: duration(health.start_interval),
    });
    ImageDefaults {
        entrypoint: config.entrypoint.clone(),
        command: config.cmd.clone(),
        env: config.env.clone(),
        working_dir: config.working_dir.clone(),
        user: config.user.clone(),
        volumes: config.volumes.keys().cloned().collect(),
        labels: config.labels.clone(),
        stop_signal: config.stop_signal.clone(),
        health,
        exposed_ports: config.exposed_ports.keys().cloned().collect(),
    }
}

fn failed(error: ImageError) -> Failure {
    let temporary = matches!(error.kind, ImageErrorKind::Machine);
    Failure { message: error.to_string(), temporary, container: None }
}

fn rejected(message: String) -> Failure {
    Failure { message, temporary: false, container: None }
}
