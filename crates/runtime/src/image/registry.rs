//! Talks to one registry about one repository, and says in Docker's words what went wrong.
//!
//! In: a reference and credentials. Out: manifests and streams of blobs; their digests are judged by who asked, except
//! those of manifests, which are judged here. One session per pull: idle, nothing of it stays in memory.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::HeaderValue;
use model::Duration;
use model::image::{DEFAULT_REGISTRY, ImageRef};
use oci_client::client::{BlobResponse, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use crate::image::config::DOCUMENT_BYTES_MAX;
use crate::image::credentials::Credentials;
use crate::image::digest::Digest;
use crate::image::error::{ImageError, ImageErrorKind};
use crate::image::identity;
use crate::image::manifest::{Descriptor, MANIFEST_BYTES_MAX, Manifest};

/// How registries are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registries {
    /// `host` or `host:port` of registries that speak plain HTTP. Those on this machine always may.
    pub insecure: Vec<String>,
    /// How long a registry may be silent.
    pub patience: Duration,
}

impl Default for Registries {
    fn default() -> Self {
        Self { insecure: Vec::new(), patience: Duration::from_secs(60) }
    }
}

impl Registries {
    fn speaks_plain_http(&self, registry: &str) -> bool {
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let local = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        local || self.insecure.iter().any(|known| known == registry || known == host)
    }
}

/// A conversation about one repository.
pub(crate) struct Session {
    client: Client,
    reference: ImageRef,
    auth: RegistryAuth,
    purpose: Purpose,
}

/// What a conversation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Pull,
    Push,
}

/// Bytes of a blob from an offset on.
pub(crate) struct BlobStream {
    /// Bytes that come before the ones asked for, since the registry cannot begin later.
    pub(crate) surplus: u64,
    pub(crate) bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl Session {
    /// Opens a session and finds out how to be let in.
    pub(crate) async fn open(
        registries: &Registries,
        reference: &ImageRef,
        (credentials, purpose): (&Credentials, Purpose),
    ) -> Result<Self, ImageError> {
        // Whoever installed a provider before us wanted it; else TLS needs this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = registries.speaks_plain_http(&reference.registry);
        let patience = CONNECT_TIMEOUT.min(registries.patience);
        look_up(&reference.registry, plain, patience)
            .await
            .map_err(|error| unreachable(&reference.registry, &error))?;
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            read_timeout: Some(registries.patience),
            connect_timeout: Some(patience),
            user_agent: concat!("skep/", env!("CARGO_PKG_VERSION")),
            use_monolithic_push: true,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| {
            ImageError::new(ImageErrorKind::Machine, format!("preparing for a registry: {error}"))
        })?;
        let scheme = if plain { "http" } else { "https" };
        let auth = registry_auth(scheme, reference, (credentials, purpose, registries.patience)).await?;
        let session = Self { client, reference: reference.clone(), auth, purpose };
        let asked = session.client.auth(&session.address(None), &session.auth, session.operation()).await;
        asked.map_err(|error| session.explain(error))?;
        Ok(session)
    }

    /// The manifest of the reference, or of this digest, with its own digest.
    pub(crate) async fn manifest(
        &self,
        digest: Option<Digest>,
    ) -> Result<(Manifest, Bytes, Digest), ImageError> {
        let address = self.address(digest);
        let pulled = self.client.pull_manifest_raw(&address, &self.auth, MANIFEST_TYPES).await;
        let (bytes, _) = pulled.map_err(|error| self.explain(error))?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(ImageError::invalid("invalid manifest: it is longer than 4 MiB"));
        }
        let found = Digest::of(&bytes);
        let promised = match (digest, &self.reference.digest) {
            (Some(digest), _) => Some(digest),
            (None, Some(text)) => Some(text.parse::<Digest>()?),
            (None, None) => None,
        };
        if let Some(promised) = promised.filter(|promised| *promised != found) {
            return Err(self.lie(promised, found));
        }
        Ok((Manifest::parse(&bytes)?, bytes, found))
    }

    /// A small blob whole, of the digest it is said to have.
    pub(crate) async fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, ImageError> {
        if blob.size > DOCUMENT_BYTES_MAX {
            return Err(ImageError::invalid("invalid image configuration: it is longer than 8 MiB"));
        }
        let mut stream = self.blob(blob, 0).await?.bytes;
        let mut bytes = Vec::new();
        loop {
            match stream.try_next().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) if bytes.len() as u64 >= blob.size => break, // judged below
                Err(error) => return Err(self.unreachable(&error)),
            }
            if bytes.len() as u64 > blob.size {
                break;
            }
        }
        let found = Digest::of(&bytes);
        if found == blob.digest { Ok(bytes) } else { Err(self.lie(blob.digest, found)) }
    }

    /// The bytes of a blob from an offset on.
    pub(crate) async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, ImageError> {
        let layer =
            oci_client::manifest::OciDescriptor { digest: blob.digest.to_string(), ..Default::default() };
        let response = self.client.pull_blob_stream_partial(&self.address(None), &layer, offset, None).await;
        Ok(match response.map_err(|error| self.explain(error))? {
            BlobResponse::Full(stream) => BlobStream { surplus: offset, bytes: stream.boxed() },
            BlobResponse::Partial(stream) => BlobStream { surplus: 0, bytes: stream.boxed() },
        })
    }

    /// Whether the registry has a blob.
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool, ImageError> {
        let found = self.client.blob_exists(&self.address(None), &digest.to_string()).await;
        found.map_err(|error| self.explain(error))
    }

    /// Sends a blob.
    pub(crate) async fn push_blob(
        &self,
        blob: &Descriptor,
        bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), ImageError> {
        let bytes = bytes.map_err(OciDistributionError::IoError);
        let digest = blob.digest.to_string();
        let pushed = self.client.push_blob_stream(&self.address(None), bytes, &digest, Some(blob.size)).await;
        pushed.map(drop).map_err(|error| self.explain(error))
    }

    /// Sends a manifest, by which the image becomes known under its tag.
    pub(crate) async fn push_manifest(&self, bytes: Vec<u8>) -> Result<(), ImageError> {
        let kind = HeaderValue::from_static(PUSHED_MANIFEST_TYPE);
        let pushed = self.client.push_manifest_raw(&self.address(None), bytes, kind).await;
        pushed.map(drop).map_err(|error| self.explain(error))
    }

    fn operation(&self) -> RegistryOperation {
        match self.purpose {
            Purpose::Pull => RegistryOperation::Pull,
            Purpose::Push => RegistryOperation::Push,
        }
    }

    /// Said of blobs and manifests that are not what they are called.
    pub(crate) fn lie(&self, promised: Digest, found: Digest) -> ImageError {
        let registry = &self.reference.registry;
        let message = format!(
            "registry {registry} sent something else than it promised: expected {promised}, got {found}"
        );
        ImageError::new(ImageErrorKind::Registry, message)
    }

    /// Said when the registry does not answer, or stops in the middle.
    pub(crate) fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ImageError {
        unreachable(&self.reference.registry, error)
    }

    fn address(&self, digest: Option<Digest>) -> Reference {
        let ImageRef { registry, path, tag: _, digest: named } = &self.reference;
        let digest = digest.map(|digest| digest.to_string()).or_else(|| named.clone());
        match digest {
            Some(digest) => Reference::with_digest(registry.clone(), path.clone(), digest),
            None => {
                let tag = self.reference.tag_or_latest().unwrap_or_default();
                Reference::with_tag(registry.clone(), path.clone(), tag.to_owned())
            }
        }
    }

    fn explain(&self, error: OciDistributionError) -> ImageError {
        let registry = |message| ImageError::new(ImageErrorKind::Registry, message);
        let name = &self.reference.registry;
        match error {
            OciDistributionError::RegistryError { envelope, url: _ } => self.explain_code(&envelope),
            OciDistributionError::UnauthorizedError { url: _ } => {
                self.denied("requested access to the resource is denied")
            }
            OciDistributionError::AuthenticationFailure(_) if self.auth == RegistryAuth::Anonymous => {
                self.denied("requested access to the resource is denied")
            }
            OciDistributionError::AuthenticationFailure(_) => ImageError::new(
                ImageErrorKind::Denied,
                format!("registry {name}: unauthorized: incorrect username or password"),
            ),
            OciDistributionError::ServerError { code: 404, .. } => self.missing("manifest unknown"),
            OciDistributionError::ServerError { code: 403, .. } => {
                self.denied("requested access to the resource is denied")
            }
            OciDistributionError::ServerError { code, url: _, message } => {
                registry(format!("registry {name} answered {code}: {}", first_line(&message)))
            }
            OciDistributionError::DigestError(oci_client::errors::DigestError::VerificationError {
                expected,
                actual,
            }) => registry(format!(
                "registry {name} sent something else than it promised: expected {expected}, got {actual}"
            )),
            OciDistributionError::RequestError(error) if error.is_timeout() => {
                registry(format!("registry {name} cannot be reached: it did not answer in time"))
            }
            OciDistributionError::RequestError(error) => self.unreachable(&error),
            other => registry(format!("registry {name}: {}", first_line(&other.to_string()))),
        }
    }

    fn explain_code(&self, envelope: &oci_client::errors::OciEnvelope) -> ImageError {
        let Some(error) = envelope.errors.first() else { return self.missing("manifest unknown") };
        let message = first_line(&error.message);
        match &error.code {
            OciErrorCode::ManifestUnknown | OciErrorCode::NotFound => self.missing(&message),
            OciErrorCode::NameUnknown => ImageError::new(
                ImageErrorKind::NotFound,
                format!("repository {} not found: name unknown: {message}", self.reference.familiar_name()),
            ),
            OciErrorCode::Denied | OciErrorCode::Unauthorized => self.denied(&message),
            OciErrorCode::Toomanyrequests => {
                ImageError::new(ImageErrorKind::Registry, format!("toomanyrequests: {message}"))
            }
            other => {
                let name = &self.reference.registry;
                ImageError::new(ImageErrorKind::Registry, format!("registry {name}: {other:?}: {message}"))
            }
        }
    }

    fn missing(&self, message: &str) -> ImageError {
        let message = if message.is_empty() { "manifest unknown" } else { message };
        let text =
            format!("manifest for {} not found: manifest unknown: {message}", self.reference.familiar());
        ImageError::new(ImageErrorKind::NotFound, text)
    }

    fn denied(&self, message: &str) -> ImageError {
        if self.purpose == Purpose::Push {
            return ImageError::new(ImageErrorKind::Denied, format!("denied: {message}"));
        }
        let name = self.reference.familiar_name();
        let text = format!(
            "pull access denied for {name}, repository does not exist or may require 'docker login': denied: {message}"
        );
        ImageError::new(ImageErrorKind::NotFound, text)
    }
}

/// Looks whether the name of a registry is known at all, before the certificates of all authorities are read for it: a
/// machine without a network shall not do that for each container. A proxy may know names that this machine does not.
async fn look_up(registry: &str, plain: bool, patience: Duration) -> io::Result<()> {
    if PROXIES.iter().any(|name| std::env::var_os(name).is_some_and(|proxy| !proxy.is_empty())) {
        return Ok(());
    }
    let host = host_of(registry);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = match (has_port, plain) {
        (true, _) => host.to_owned(),
        (false, true) => format!("{host}:80"),
        (false, false) => format!("{host}:443"),
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "its name could not be looked up in time");
    tokio::time::timeout(patience, tokio::net::lookup_host(host)).await.map_err(late)?.map(drop)
}

/// Under which name a registry is found.
fn host_of(registry: &str) -> &str {
    match registry {
        DEFAULT_REGISTRY => "registry-1.docker.io",
        other => other,
    }
}

fn unreachable(registry: &str, error: &(dyn std::error::Error + 'static)) -> ImageError {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    ImageError::new(ImageErrorKind::Registry, format!("registry {registry} cannot be reached: {deepest}"))
}

/// What the registry is shown; identity tokens are exchanged first.
async fn registry_auth(
    scheme: &str,
    reference: &ImageRef,
    (credentials, purpose, patience): (&Credentials, Purpose, Duration),
) -> Result<RegistryAuth, ImageError> {
    match credentials {
        Credentials::Anonymous => Ok(RegistryAuth::Anonymous),
        Credentials::Password { username, password } => {
            Ok(RegistryAuth::Basic(username.clone(), password.clone()))
        }
        Credentials::RegistryToken(token) => Ok(RegistryAuth::Bearer(token.clone())),
        Credentials::IdentityToken(token) => {
            let registry = host_of(&reference.registry);
            let actions = match purpose {
                Purpose::Pull => "pull",
                Purpose::Push => "pull,push",
            };
            let scope = format!("repository:{}:{actions}", reference.path);
            let base = format!("{scheme}://{registry}");
            identity::exchange(&base, &scope, (token, patience)).await.map(RegistryAuth::Bearer)
        }
    }
}

/// What others say is shown, but not without end.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Where users name a proxy.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

const PUSHED_MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

const MANIFEST_TYPES: &[&str] = &[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_here_and_named_ones_speak_plain_http() {
        let registries =
            Registries { insecure: vec!["lan:5000".into(), "box".into()], ..Registries::default() };
        for (registry, plain) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.8.9.1:1", true),
            ("[::1]:5000", true),
            ("lan:5000", true),
            ("box:80", true),
            ("lan:5001", false),
            ("128.0.0.1:1", false),
            ("docker.io", false),
        ] {
            assert_eq!(registries.speaks_plain_http(registry), plain, "{registry}");
        }
    }
}
