//! Sockets, connections, and the way of a request to its route.
//!
//! In: where to listen, and the daemon. Out: nothing; it serves until the way down begins. The number of
//! connections is bounded: who comes when all places are taken waits in the kernel's queue, so that ten thousand
//! clients cost no more than a thousand do.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response};
use axum::response::IntoResponse;
use host::shutdown::Shutdown;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::config::Listener;
use crate::daemon::Daemon;
use crate::feed;
use crate::http::remainder::Whole;
use crate::http::request::Spoken;
use crate::http::{Failure, routes, tls, version};

/// Connections at the same time. Each costs about 12 KiB while it says nothing.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// The same while less than half of the places are free, so that silent clients make room for others.
const HEADER_TIMEOUT_CROWDED: Duration = Duration::from_secs(2);
/// How long a client may take to prove who it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after the kernel refused a connection, such as when all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The sockets, bound but not served yet.
pub(crate) struct Server {
    doors: Vec<Door>,
}

enum Door {
    Unix(UnixListener),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

impl Server {
    /// Binds all sockets. Unix sockets belong to the group and are closed to others.
    ///
    /// # Errors
    /// If one cannot be bound, or TLS files cannot be used.
    pub(crate) async fn bind(listeners: &[Listener], group: &str) -> anyhow::Result<Self> {
        let mut doors = Vec::new();
        for listener in listeners {
            doors.push(match listener {
                Listener::Unix(path) => {
                    let door =
                        unix(path, group).with_context(|| format!("listening on {}", path.display()))?;
                    Door::Unix(door)
                }
                Listener::Tcp(address, files) => {
                    let acceptor = files.as_ref().map(tls::acceptor).transpose()?;
                    let door = TcpListener::bind(address).await;
                    Door::Tcp(door.with_context(|| format!("listening on {address}"))?, acceptor)
                }
            });
        }
        Ok(Self { doors })
    }

    /// Serves on all sockets, and tells what happens, until the way down begins.
    pub(crate) fn serve(self, daemon: Arc<Daemon>, shutdown: &Shutdown) {
        shutdown.spawn(feed::containers(Arc::clone(&daemon), shutdown.token().clone()));
        shutdown.spawn(feed::swarm(Arc::clone(&daemon), shutdown.token().clone()));
        let house = House {
            router: routes::all(daemon),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            shutdown: shutdown.clone(),
        };
        for door in self.doors {
            let house = house.clone();
            shutdown.spawn(async move { house.open(door).await });
        }
    }
}

/// What every connection needs.
#[derive(Clone)]
struct House {
    router: Router,
    places: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl House {
    async fn open(self, door: Door) {
        let token = self.shutdown.token().clone();
        while let Some(()) = token.run_until_cancelled(self.admit(&door)).await {}
    }

    /// Waits for a place, then for a client, and leaves the client to a task of its own.
    async fn admit(&self, door: &Door) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let admitted = match door {
            Door::Unix(listener) => listener.accept().await.map(|(stream, _)| self.welcome(stream, place)),
            Door::Tcp(listener, None) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true); // only slower without
                self.welcome(stream, place);
            }),
            Door::Tcp(listener, Some(acceptor)) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true); // only slower without
                let (house, acceptor) = (self.clone(), acceptor.clone());
                self.shutdown.spawn(async move {
                    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
                    match handshake.await {
                        Ok(Ok(stream)) => house.converse(stream, place).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a client did not prove who it is"),
                        Err(_) => tracing::debug!("a client took too long to prove who it is"),
                    }
                });
            }),
        };
        if let Err(error) = admitted {
            tracing::warn!(%error, "the kernel refused a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn welcome(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        place: OwnedSemaphorePermit,
    ) {
        let house = self.clone();
        self.shutdown.spawn(async move { house.converse(stream, place).await });
    }

    /// One client's conversation. It ends with the client, or with the way down.
    async fn converse(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        place: OwnedSemaphorePermit,
    ) {
        let router = self.router;
        let place = Place { permit: Some(Arc::new(place)), shutdown: self.shutdown.clone() };
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (router, place) = (router.clone(), place.clone());
            async move {
                let mut request = request.map(|body| Body::new(Whole::new(body)));
                request.extensions_mut().insert(place);
                Ok::<_, Infallible>(answer(router, request).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience(self.places.available_permits()))
            .max_buf_size(64 << 10)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let token: CancellationToken = self.shutdown.token().clone();
        // A client that breaks off is no fault of ours; on the way down a conversation is dropped where it stands.
        if let Some(Err(error)) = token.run_until_cancelled(connection).await {
            tracing::debug!(%error, "a conversation broke off");
        }
    }
}

/// How long to wait for a client to speak, with so many places free.
fn patience(free: usize) -> Duration {
    if free < CONNECTIONS_MAX / 2 { HEADER_TIMEOUT_CROWDED } else { HEADER_TIMEOUT }
}

/// The place that a connection takes. A stream that goes on after its request keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    permit: Option<Arc<OwnedSemaphorePermit>>,
    shutdown: Shutdown,
}

impl Place {
    /// The place that a request came through.
    pub(crate) fn of(parts: &Parts) -> Self {
        let outside = || Self { permit: None, shutdown: Shutdown::new() };
        parts.extensions.get().cloned().unwrap_or_else(outside)
    }

    /// Goes on with a stream after its request. It ends with the way down.
    pub(crate) fn spawn(self, stream: impl Future<Output = ()> + Send + 'static) {
        let Self { permit, shutdown } = self;
        let token = shutdown.token().clone();
        shutdown.spawn(async move {
            token.run_until_cancelled(stream).await;
            drop(permit);
        });
    }
}

/// Takes the version off the path, finds the route, and adds what every answer carries.
pub(crate) async fn answer(router: Router, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let mut response = match version::split(&parts.uri) {
        Ok((spoken, uri)) => {
            parts.uri = uri;
            parts.extensions.insert(Spoken(spoken));
            let Ok(response) = router.oneshot(Request::from_parts(parts, body)).await;
            response
        }
        Err(refused) => Failure::from(refused).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert("api-version", HeaderValue::from_static(NEWEST));
    headers.insert("docker-experimental", HeaderValue::from_static("false"));
    headers.insert("ostype", HeaderValue::from_static("linux"));
    headers.insert("server", HeaderValue::from_static(SERVER));
    response
}

/// [`api::ApiVersion::MAX`] as a header.
const NEWEST: &str = "1.51";
/// The name of this server.
const SERVER: &str = concat!("Skep/", env!("CARGO_PKG_VERSION"), " (linux)");

fn unix(path: &Path, group: &str) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    host::files::remove_if_there(path)?;
    let listener = UnixListener::bind(path)?;
    match nix::unistd::Group::from_name(group)? {
        Some(group) => nix::unistd::chown(path, None, Some(group.gid))?,
        None => tracing::debug!(group, "there is no such group: only root may use the socket"),
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}
