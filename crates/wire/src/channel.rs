//! A mutually authenticated connection between nodes, from both of its ends.
//!
//! In: a listener or an address, and TLS settings that may be changed at any time: each new connection takes
//! those of its moment, so certificates and roots rotate without a restart. Out: a gRPC channel, or calls
//! served with the [`Peer`] in their extensions. Who may call what is not judged here.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector, server};
use tonic::service::Routes;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Server};

/// The name under which a manager answers everything but first certificates.
pub const MANAGER_NAME: &str = "swarm-manager";
/// The name under which a manager answers those who have no certificate yet.
pub const AUTHORITY_NAME: &str = "swarm-ca";

/// How long a handshake, or a connection as a whole, may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the other end may take nothing of what was sent to it.
const DEAF_MAX: Duration = Duration::from_secs(10);
/// How often a silent client is asked whether it is still there; a machine that lost its power says nothing.
const ALIVE_PERIOD: Duration = Duration::from_secs(60);
/// How long calls under way may take to end when the server stops.
const END_MAX: Duration = Duration::from_millis(500);
/// Connections that are ready and wait to be served.
const READY_MAX: usize = 64;
/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Handshakes at the same time; those beyond wait in the kernel's queue.
const HANDSHAKES_MAX: usize = 256;
/// How much may be on its way in one call and in all calls of a connection: a snapshot's chunk fits.
const WINDOW_BYTES: u32 = 4 << 20;

/// Who is at the other end of a served connection. Found in the extensions of each request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// From where it speaks.
    pub addr: SocketAddr,
    /// Its certificate, DER; absent if it showed none. The chain up to a trusted root was verified.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Connects to a manager.
///
/// `name` is [`MANAGER_NAME`] or [`AUTHORITY_NAME`]. The channel carries many calls at once; when it breaks,
/// all of them fail.
///
/// # Errors
/// If nobody answers, or not with a certificate that `tls` trusts.
pub async fn connect(
    addr: &str,
    name: &'static str,
    tls: Arc<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    endpoint(addr)?.connect_with_connector(connector(addr, name, tls)).await
}

/// Like [`connect`], but at the first call, and again after the connection broke.
///
/// # Errors
/// If the address is none.
pub fn connect_lazily(
    addr: &str,
    name: &'static str,
    tls: Arc<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    Ok(endpoint(addr)?.connect_with_connector_lazy(connector(addr, name, tls)))
}

/// Serves calls until `stop` ends, then gives those under way a moment to end. What then still goes on are
/// streams; they end with whatever feeds them. Each call is served by the routes of its moment: what a node answers
/// changes with what it is.
///
/// # Errors
/// If the server itself fails; a bad connection is no reason.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    routes: watch::Receiver<Routes>,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (ready, incoming) = mpsc::channel(READY_MAX);
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(listener, tls, ready));
    let (stopping, stopped) = oneshot::channel::<()>();
    let calls = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut routes = routes.borrow().clone();
        tower::Service::call(&mut routes, request)
    });
    let serving = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_keepalive_interval(Some(ALIVE_PERIOD))
        .serve_with_incoming_shutdown(calls, Incoming(incoming), async { drop(stopped.await) });
    let patience = async {
        stop.await;
        drop(stopping);
        tokio::time::sleep(END_MAX).await;
    };
    tokio::select! {
        served = serving => served,
        () = patience => Ok(()),
    }
}

fn endpoint(addr: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{addr}"))?;
    Ok(endpoint
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_timeout(CONNECT_TIMEOUT))
}

/// Makes the connections of a channel: TCP without delays, then TLS.
fn connector(
    addr: &str,
    name: &'static str,
    tls: Arc<ClientConfig>,
) -> impl tower::Service<
    http::Uri,
    Response = TokioIo<tokio_rustls::client::TlsStream<TcpStream>>,
    Error = io::Error,
    Future: Send,
> + Send
+ 'static {
    let addr: Arc<str> = addr.into();
    tower::service_fn(move |_: http::Uri| {
        let (addr, connector) = (addr.clone(), TlsConnector::from(tls.clone()));
        async move {
            let stream = TcpStream::connect(&*addr).await?;
            prepare(&stream)?;
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    })
}

/// Accepts connections and shakes hands with many of them at once, so that a slow one delays nobody.
async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    ready: mpsc::Sender<Connection>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if handshakes.len() < HANDSHAKES_MAX => match accepted {
                Ok((stream, addr)) => {
                    let acceptor = TlsAcceptor::from(tls.borrow().clone());
                    handshakes.spawn(shake_hands(acceptor, stream, addr, ready.clone()));
                }
                // Out of descriptors, most likely: others must end first.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = handshakes.join_next() => {}
            () = ready.closed() => return,
        }
    }
}

/// A connection that fails here has said nothing yet, so nobody is told.
async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    addr: SocketAddr,
    ready: mpsc::Sender<Connection>,
) {
    if prepare(&stream).is_err() {
        return;
    }
    let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIMEOUT, acceptor.accept(stream)).await else { return };
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(<[_]>::first).map(|leaf| leaf.clone().into_owned());
    let peer = Peer { addr, certificate };
    // Nobody receives when the server is stopping; the connection then just closes.
    let _ = ready.send(Connection { stream, peer }).await;
}

/// Has small messages sent at once, and a connection end whose other end takes nothing any more: after a cable was cut,
/// the kernel alone would try for a quarter of an hour, and longer pauses each time.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let deaf_max = u32::try_from(DEAF_MAX.as_millis()).unwrap_or(u32::MAX);
    Ok(setsockopt(stream, sockopt::TcpUserTimeout, &deaf_max)?)
}

/// The connections that are ready.
struct Incoming(mpsc::Receiver<Connection>);

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

/// A served connection that knows its peer.
struct Connection {
    stream: server::TlsStream<TcpStream>,
    peer: Peer,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
