//! `pull` from a registry that the test itself serves on loopback, honest and otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use model::Duration;
use model::image::ImageRef;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{assert_empty, config, docker_archive, file, no_uses, some_layers, streamed, symlink, tar};
use crate::image::digest::Digest;
use crate::image::{
    Credentials, ImageErrorKind, Images, Insistence, Platform, Progress, ProgressLine, PullOptions, Pulled,
    Registries,
};

/// How a registry behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Wants a token, which it gives to `me` with `secret`.
    Token,
    /// Wants name and password with each request.
    Basic,
    /// Sends other bytes than promised.
    LyingBlob,
    LyingManifest,
    /// Sends half of each blob, until asked for the rest.
    Breaking,
    /// The same, but always sends from the beginning.
    BreakingWithoutRanges,
    /// Never sends a blob.
    Silent,
    /// Sends half of each blob, and nothing more ever.
    Cutting,
    /// Answers with 500.
    Broken,
}

struct Registry {
    manner: Manner,
    address: String,
    blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
    /// By tag and by digest.
    manifests: Mutex<BTreeMap<String, (&'static str, Vec<u8>)>>,
    asked: AtomicUsize,
}

/// A served registry; ends with the test.
struct Served {
    registry: Arc<Registry>,
    _server: JoinSet<()>,
}

async fn serve(manner: Manner) -> Served {
    serve_layers(manner, &some_layers()).await
}

/// Serves an image as `web:1`, and an index with it as `web:many`.
async fn serve_layers(manner: Manner, layers: &[Vec<u8>]) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = Registry {
        manner,
        address: listener.local_addr().unwrap().to_string(),
        blobs: Mutex::default(),
        manifests: Mutex::default(),
        asked: AtomicUsize::new(0),
    };
    let image = registry.add_image(layers);
    let index = json!({ "schemaVersion": 2, "manifests": [
        { "mediaType": OCI_MANIFEST, "digest": Digest::of(b"arm"), "size": 3, "platform": { "os": "linux", "architecture": "arm64" } },
        { "mediaType": OCI_MANIFEST, "digest": Digest::of(&image), "size": image.len(), "platform": { "os": "linux", "architecture": "amd64" } },
    ] });
    registry.add_manifest("1", OCI_MANIFEST, image);
    registry.add_manifest("many", OCI_INDEX, index.to_string().into_bytes());
    registry.add_manifest("garbage", OCI_MANIFEST, b"{]".to_vec());
    registry.add_manifest("old", OCI_MANIFEST, br#"{"schemaVersion":1}"#.to_vec());
    let registry = Arc::new(registry);
    let app = Router::new()
        .route("/v2/", get(ping))
        .route("/token", get(token).post(exchange))
        .route("/v2/{name}/manifests/{reference}", get(manifest).put(take_manifest))
        .route("/v2/{name}/blobs/uploads/", post(begin_upload))
        .route("/upload", put(upload))
        .route("/v2/{name}/blobs/{digest}", get(blob))
        .with_state(Arc::clone(&registry));
    let mut server = JoinSet::new();
    server.spawn(async { axum::serve(listener, app).await.unwrap() });
    Served { registry, _server: server }
}

impl Registry {
    fn add_image(&self, layers: &[Vec<u8>]) -> Vec<u8> {
        let config = config(layers);
        let about =
            |bytes: &[u8]| json!({ "mediaType": "x", "digest": Digest::of(bytes), "size": bytes.len() });
        let manifest = json!({
            "schemaVersion": 2, "config": about(&config), "layers": layers.iter().map(|layer| about(layer)).collect::<Vec<_>>(),
        });
        for bytes in layers.iter().chain([&config]) {
            self.blobs.lock().unwrap().insert(Digest::of(bytes), bytes.clone());
        }
        manifest.to_string().into_bytes()
    }

    fn add_manifest(&self, tag: &str, kind: &'static str, bytes: Vec<u8>) {
        self.manifests.lock().unwrap().insert(Digest::of(&bytes).to_string(), (kind, bytes.clone()));
        self.manifests.lock().unwrap().insert(tag.to_owned(), (kind, bytes));
    }

    /// Refuses who was not let in.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let sent = headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
        let (wanted, challenge) = match self.manner {
            Manner::Token => {
                ("Bearer key", format!("Bearer realm=\"http://{}/token\",service=\"here\"", self.address))
            }
            Manner::Basic => ("Basic bWU6c2VjcmV0", "Basic realm=\"here\"".to_owned()),
            _ => return None,
        };
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let refused = (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], body);
        (sent != wanted).then(|| refused.into_response())
    }
}

async fn ping(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    registry.refusal(&headers).unwrap_or_else(|| "{}".into_response())
}

async fn token(headers: HeaderMap) -> Response {
    match headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap()) {
        Some("Basic bWU6c2VjcmV0") => r#"{"token":"key"}"#.into_response(),
        Some(_) => StatusCode::UNAUTHORIZED.into_response(),
        None => r#"{"token":"nobody"}"#.into_response(),
    }
}

async fn exchange(body: String) -> Response {
    let good = body.contains("grant_type=refresh_token") && body.contains("refresh_token=a%2Fb");
    if good && body.contains("scope=repository%3Aweb%3Apull") {
        r#"{"access_token":"key"}"#.into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

async fn manifest(
    State(registry): State<Arc<Registry>>,
    Path((name, reference)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = registry.refusal(&headers) {
        return refusal;
    }
    if registry.manner == Manner::Broken {
        return (StatusCode::INTERNAL_SERVER_ERROR, "out of\norder").into_response();
    }
    let error = |status: StatusCode, code: &str, message: &str| {
        (status, json!({ "errors": [{ "code": code, "message": message }] }).to_string()).into_response()
    };
    match (name.as_str(), registry.manifests.lock().unwrap().get(&reference)) {
        ("private", _) => {
            error(StatusCode::FORBIDDEN, "DENIED", "requested access to the resource is denied")
        }
        ("nowhere", _) => {
            error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry")
        }
        (_, None) => error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        (_, Some((kind, bytes))) => {
            let mut bytes = bytes.clone();
            if registry.manner == Manner::LyingManifest && reference.starts_with("sha256:") {
                bytes.push(b' ');
            }
            ([(header::CONTENT_TYPE, *kind)], bytes).into_response()
        }
    }
}

async fn blob(
    State(registry): State<Arc<Registry>>,
    Path((_, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = registry.refusal(&headers) {
        return refusal;
    }
    registry.asked.fetch_add(1, Ordering::SeqCst);
    let Some(mut bytes) =
        digest.parse().ok().and_then(|digest: Digest| registry.blobs.lock().unwrap().get(&digest).cloned())
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let offset: usize = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().unwrap().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let is_layer = !bytes.starts_with(b"{");
    let half = |bytes: &[u8]| {
        use futures_util::{StreamExt, stream};
        let first = Ok::<_, std::io::Error>(bytes[..bytes.len() / 2].to_vec());
        let broken = stream::once(async {
            // While a body has nothing to say, the server sends what it has: only then is the cable cut.
            tokio::task::yield_now().await;
            Err(std::io::Error::other("cable cut"))
        });
        Body::from_stream(stream::iter([first]).chain(broken))
    };
    match registry.manner {
        Manner::Silent if is_layer => std::future::pending().await,
        Manner::Breaking if is_layer && offset == 0 => {
            (StatusCode::PARTIAL_CONTENT, half(&bytes)).into_response()
        }
        Manner::BreakingWithoutRanges if is_layer && offset == 0 => half(&bytes).into_response(),
        Manner::BreakingWithoutRanges => bytes.into_response(),
        Manner::Cutting if is_layer && offset == 0 => {
            (StatusCode::PARTIAL_CONTENT, half(&bytes)).into_response()
        }
        Manner::Cutting if is_layer => half(&[]).into_response(),
        Manner::LyingBlob if is_layer => {
            bytes[600] ^= 1;
            bytes.into_response()
        }
        _ => (StatusCode::PARTIAL_CONTENT, bytes.split_off(offset)).into_response(),
    }
}

async fn begin_upload(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    let location = format!("http://{}/upload", registry.address);
    let begun = (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response();
    registry.refusal(&headers).unwrap_or(begun)
}

async fn upload(
    State(registry): State<Arc<Registry>>,
    Query(query): Query<BTreeMap<String, String>>,
    body: axum::body::Bytes,
) -> Response {
    let digest = Digest::of(&body);
    if query["digest"] != digest.to_string() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    registry.blobs.lock().unwrap().insert(digest, body.to_vec());
    (StatusCode::CREATED, [(header::LOCATION, format!("http://{}/done", registry.address))]).into_response()
}

async fn take_manifest(
    State(registry): State<Arc<Registry>>,
    Path((_, reference)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Response {
    registry.add_manifest(&reference, OCI_MANIFEST, body.to_vec());
    (StatusCode::CREATED, [(header::LOCATION, format!("http://{}/done", registry.address))]).into_response()
}

struct Machine {
    folder: tempfile::TempDir,
    images: Images,
}

fn machine() -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let registries = Registries { patience: Duration::from_millis(300), ..Registries::default() };
    let images = Images::open_with(folder.path(), registries).unwrap();
    Machine { folder, images }
}

impl Served {
    fn name(&self, rest: &str) -> ImageRef {
        ImageRef::parse(&format!("{}/{rest}", self.registry.address)).unwrap()
    }
}

fn amd64() -> PullOptions {
    PullOptions { platform: Some(Platform::parse("linux/amd64").unwrap()), ..PullOptions::default() }
}

async fn pull(images: &Images, name: &ImageRef) -> Result<Pulled, String> {
    images.pull(name, amd64(), Progress::silent()).await.map_err(|error| error.message)
}

async fn pull_as(images: &Images, name: &ImageRef, password: &str) -> Result<Pulled, String> {
    let credentials = Credentials::Password { username: "me".into(), password: password.into() };
    let options = PullOptions { credentials, ..amd64() };
    images.pull(name, options, Progress::silent()).await.map_err(|error| error.message)
}

#[tokio::test]
async fn an_image_is_pulled_by_tag_by_digest_and_from_an_index() {
    let served = serve(Manner::Honest).await;
    let Machine { folder: _folder, images } = machine();
    let by_tag = pull(&images, &served.name("web:1")).await.unwrap();
    let asked = served.registry.asked.load(Ordering::SeqCst);
    let by_digest = pull(&images, &served.name(&format!("web@{}", by_tag.digest))).await.unwrap();
    let from_index = pull(&images, &served.name("web:many")).await.unwrap();
    assert_eq!((by_digest.id, from_index.id), (by_tag.id, by_tag.id));
    assert_eq!(served.registry.asked.load(Ordering::SeqCst), asked, "nothing is fetched twice");

    let address = &served.registry.address;
    let inspect = images.inspect(&format!("{address}/web:1")).unwrap();
    assert_eq!(inspect.repo_tags, [format!("{address}/web:1"), format!("{address}/web:many")]);
    let mut digests =
        vec![format!("{address}/web@{}", by_tag.digest), format!("{address}/web@{}", from_index.digest)];
    digests.sort();
    assert_eq!(inspect.repo_digests, digests);
    let pinned = format!("{address}/web:1@{}", from_index.digest);
    assert_eq!(images.resolve(&pinned).unwrap(), by_tag.id);
    assert_eq!(std::fs::read(images.layers(by_tag.id).unwrap()[0].join("etc/name")).unwrap(), b"high");
}

#[tokio::test]
async fn progress_is_told_as_docker_pull_tells_it() {
    let served = serve(Manner::Honest).await;
    let Machine { folder: _folder, images } = machine();
    let name = served.name("web:1");
    let mut told = Vec::new();
    for _ in 0..2 {
        let (sender, mut lines) = mpsc::channel::<ProgressLine>(1000);
        images.pull(&name, amd64(), Progress::to(sender)).await.unwrap();
        let mut texts = Vec::new();
        while let Ok(line) = lines.try_recv() {
            texts.push(format!("{} {}", line.id.unwrap_or_default(), line.status.unwrap_or_default()));
        }
        told.push(texts);
    }
    let layer = Digest::of(&some_layers()[0]).short();
    assert_eq!(told[0][0], "1 Pulling from web");
    for status in ["Pulling fs layer", "Downloading", "Download complete", "Pull complete"] {
        assert!(told[0].contains(&format!("{layer} {status}")), "{status}: {told:?}");
    }
    assert_eq!(told[0].last().unwrap(), &format!(" Status: Downloaded newer image for {}", name.familiar()));
    assert!(told[1].contains(&format!("{layer} Already exists")), "{told:?}");
    assert_eq!(told[1].last().unwrap(), &format!(" Status: Image is up to date for {}", name.familiar()));
}

#[tokio::test]
async fn registries_that_want_credentials_get_them() {
    for manner in [Manner::Token, Manner::Basic] {
        let served = serve(manner).await;
        let Machine { folder, images } = machine();
        let name = served.name("web:1");
        let refused = pull(&images, &name).await.unwrap_err();
        assert!(
            refused.starts_with(&format!("pull access denied for {}", name.familiar_name())),
            "{refused}"
        );
        let refused = pull_as(&images, &name, "wrong").await.unwrap_err();
        assert!(
            refused.contains("denied") || refused.contains("incorrect username or password"),
            "{refused}"
        );
        assert_empty(&images, folder.path());
        pull_as(&images, &name, "secret").await.unwrap();
    }
    let served = serve(Manner::Token).await;
    let options = PullOptions { credentials: Credentials::RegistryToken("key".into()), ..amd64() };
    machine().images.pull(&served.name("web:1"), options, Progress::silent()).await.unwrap();
    for (token, lets_in) in [("a/b", true), ("old", false)] {
        let options = PullOptions { credentials: Credentials::IdentityToken(token.into()), ..amd64() };
        let pulled = machine().images.pull(&served.name("web:1"), options, Progress::silent()).await;
        assert_eq!(pulled.is_ok(), lets_in, "{pulled:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_dockers_words() {
    let served = serve(Manner::Honest).await;
    let Machine { folder, images } = machine();
    let address = served.registry.address.clone();
    let nothing = Digest::of(b"nothing");
    for (name, text) in [
        (
            "web:2".to_owned(),
            format!("manifest for {address}/web:2 not found: manifest unknown: manifest unknown"),
        ),
        (
            format!("web@{nothing}"),
            format!("manifest for {address}/web@{nothing} not found: manifest unknown: manifest unknown"),
        ),
        (
            "private:1".into(),
            format!(
                "pull access denied for {address}/private, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
            ),
        ),
        (
            "nowhere:1".into(),
            format!(
                "repository {address}/nowhere not found: name unknown: repository name not known to registry"
            ),
        ),
    ] {
        let error = images.pull(&served.name(&name), amd64(), Progress::silent()).await.unwrap_err();
        assert_eq!((error.message, error.kind), (text, ImageErrorKind::NotFound));
    }
    let arm =
        PullOptions { platform: Some(Platform::parse("linux/s390x").unwrap()), ..PullOptions::default() };
    let error = images.pull(&served.name("web:many"), arm, Progress::silent()).await.unwrap_err();
    assert_eq!(error.message, "no matching manifest for linux/s390x in the manifest list entries");
    for (tag, part) in [("garbage", "invalid manifest"), ("old", "schema version 1")] {
        assert!(pull(&images, &served.name(&format!("web:{tag}"))).await.unwrap_err().contains(part));
    }
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn a_lie_is_refused_and_not_kept() {
    for (manner, name) in [(Manner::LyingBlob, "web:1"), (Manner::LyingManifest, "web:many")] {
        let served = serve(manner).await;
        let Machine { folder, images } = machine();
        let error = pull(&images, &served.name(name)).await.unwrap_err();
        assert!(error.contains("sent something else than it promised"), "{error}");
        assert_empty(&images, folder.path());
    }
    let evil = vec![some_layers().remove(0), tar(&[symlink("a", "/etc"), file("a/evil", b"x")])];
    let served = serve_layers(Manner::Honest, &evil).await;
    let Machine { folder, images } = machine();
    let error = pull(&images, &served.name("web:1")).await.unwrap_err();
    assert!(error.contains("leads out of the archive"), "{error}");
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_broke() {
    for manner in [Manner::Breaking, Manner::BreakingWithoutRanges] {
        let served = serve(manner).await;
        let Machine { folder: _folder, images } = machine();
        pull(&images, &served.name("web:1")).await.unwrap();
        assert_eq!(served.registry.asked.load(Ordering::SeqCst), 1 + 2 * 2);
    }
}

#[tokio::test]
async fn a_registry_that_fails_is_told_and_leaves_nothing() {
    for (manner, part) in [
        (Manner::Silent, "did not answer in time"),
        (Manner::Cutting, "cannot be reached"),
        (Manner::Broken, "answered 500: out of"),
    ] {
        let served = serve(manner).await;
        let Machine { folder, images } = machine();
        let error = pull(&images, &served.name("web:1")).await.unwrap_err();
        assert!(error.contains(part) && error.contains(&served.registry.address), "{manner:?}: {error}");
        assert_empty(&images, folder.path());
    }
}

#[tokio::test]
async fn a_registry_that_is_down_is_told_in_one_text() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let Machine { folder, images } = machine();
    let name = ImageRef::parse(&format!("{free}/web:1")).unwrap();
    let error = images.pull(&name, amd64(), Progress::silent()).await.unwrap_err();
    assert_eq!(
        error.message,
        format!("registry {free} cannot be reached: Connection refused (os error 111)")
    );
    assert_eq!(error.kind, ImageErrorKind::Registry);
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn pulls_of_the_same_image_share_the_work() {
    let served = serve(Manner::Honest).await;
    let Machine { folder: _folder, images } = machine();
    let name = served.name("web:1");
    let (first, second) = tokio::join!(pull(&images, &name), pull(&images, &name));
    assert_eq!(first, second);
    assert_eq!(served.registry.asked.load(Ordering::SeqCst), 1 + 2);
    images.remove(&name.familiar(), Insistence::Careful, &no_uses()).unwrap();
    pull(&images, &name).await.unwrap();
}

#[tokio::test]
async fn images_that_share_layers_fetch_them_once() {
    let layers = some_layers();
    let served = serve(Manner::Honest).await;
    let longer = [layers.clone(), vec![tar(&[file("more", b"x")])]].concat();
    let reversed: Vec<_> = layers.iter().rev().cloned().collect();
    for (tag, layers) in [("longer", longer), ("reversed", reversed)] {
        let manifest = served.registry.add_image(&layers);
        served.registry.add_manifest(tag, OCI_MANIFEST, manifest);
    }
    let Machine { folder: _folder, images } = machine();
    let names = ["web:1", "web:longer", "web:reversed"].map(|name| served.name(name));
    let (first, second, third) =
        tokio::join!(pull(&images, &names[0]), pull(&images, &names[1]), pull(&images, &names[2]));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(served.registry.asked.load(Ordering::SeqCst), 3 + 3, "three configurations, three layers");
    let layers = images.layers(third.unwrap().id).unwrap();
    assert_eq!(std::fs::read(layers[0].join("etc/name")).unwrap(), b"low");
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_stops() {
    let served = serve(Manner::Silent).await;
    let folder = tempfile::tempdir().unwrap();
    let images = Images::open(folder.path()).unwrap();
    let name = served.name("web:1");
    let waited = tokio::time::timeout(Duration::from_millis(200), pull(&images, &name)).await;
    assert!(waited.is_err());
    images.prune(&crate::image::ImageFilter::default(), &no_uses()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("l")).unwrap().count(), 0);
    assert_eq!(
        std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(),
        0,
        "nothing holds the store"
    );
}

#[tokio::test]
async fn a_reference_is_looked_up_without_pulling() {
    let served = serve(Manner::Honest).await;
    let Machine { folder, images } = machine();
    let look = async |tag: &str| -> Value {
        let found = images.distribution(&served.name(tag), &Credentials::Anonymous).await.unwrap();
        serde_json::to_value(found).unwrap()
    };
    let index = look("web:many").await;
    assert_eq!(index["Platforms"][0], json!({ "architecture": "arm64", "os": "linux" }));
    assert_eq!(index["Descriptor"]["mediaType"], OCI_INDEX);
    let image = look("web:1").await;
    assert_eq!(image["Platforms"], json!([{ "architecture": "amd64", "os": "linux" }]));
    let digest = served.registry.manifests.lock().unwrap()["1"].1.clone();
    assert_eq!(image["Descriptor"]["digest"], Digest::of(&digest).to_string());
    assert_eq!(image["Descriptor"]["size"], digest.len());
    let error = images.distribution(&served.name("web:2"), &Credentials::Anonymous).await.unwrap_err();
    assert_eq!(error.kind, ImageErrorKind::NotFound);
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn what_is_pushed_can_be_pulled_elsewhere() {
    let served = serve(Manner::Token).await;
    let Machine { folder: _folder, images } = machine();
    let layers = vec![some_layers().remove(0), tar(&[file("pushed", &[9; 200_000])])];
    let loaded = images.load(streamed(&docker_archive("mine", &layers)), Progress::silent()).await.unwrap();
    let name = served.name("mine:2");
    images.tag("mine", &name).unwrap();
    let me = |password: &str| Credentials::Password { username: "me".into(), password: password.into() };
    let refused = images.push(&name, &me("wrong"), &Progress::silent()).await.unwrap_err();
    assert_eq!(refused.kind, ImageErrorKind::Denied);

    let (sender, mut lines) = mpsc::channel::<ProgressLine>(1000);
    let digest = images.push(&name, &me("secret"), &Progress::to(sender)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(line) = lines.try_recv() {
        told.extend(line.status);
    }
    for status in ["Layer already exists", "Pushing", "Pushed"] {
        assert!(told.iter().any(|text| text == status), "{status}: {told:?}");
    }
    assert!(told.last().unwrap().starts_with(&format!("2: digest: {digest} size: ")), "{told:?}");
    assert_eq!(images.resolve(&format!("{}@{digest}", name.familiar_name())).unwrap(), loaded[0].id);
    let pulled = pull_as(&machine().images, &name, "secret").await.unwrap();
    assert_eq!(pulled, Pulled { id: loaded[0].id, digest });

    let error =
        images.push(&served.name("none"), &Credentials::Anonymous, &Progress::silent()).await.unwrap_err();
    assert!(error.message.starts_with("An image does not exist locally with the tag: "), "{error}");
}

#[test]
fn long_work_may_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    let Machine { folder: _folder, images } = machine();
    let name = ImageRef::parse("web").unwrap();
    moves(&images.pull(&name, PullOptions::default(), Progress::silent()));
    moves(&images.push(&name, &Credentials::Anonymous, &Progress::silent()));
    moves(&images.distribution(&name, &Credentials::Anonymous));
    moves(&images.load(streamed(b""), Progress::silent()));
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
