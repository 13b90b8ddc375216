//! Speaks with a daemon over HTTP: plain answers, streams, and raw connections for terminals.
//!
//! One connection for each request: a unix socket costs nothing, and nothing has to be kept alive.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpStream, UnixStream};

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// At a unix socket.
    Unix(PathBuf),
    /// At a TCP port, `address:port`.
    Tcp(String),
}

/// Why the daemon gave no answer, or a no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens there.
    #[error("Cannot connect to the skep daemon at {0}. Is skepd running? ({1})")]
    Unreachable(String, std::io::Error),
    /// The daemon said no.
    #[error("Error response from daemon: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// In the daemon's words.
        message: String,
    },
    /// The conversation broke.
    #[error("the connection to the daemon broke: {0}")]
    Broken(#[from] hyper::Error),
    /// The daemon said something else than what was agreed.
    #[error("the daemon's answer cannot be read: {0}")]
    Malformed(#[from] api::Malformed),
    /// A request cannot be said in JSON.
    #[error("the request cannot be written: {0}")]
    Unsayable(#[from] serde_json::Error),
}

impl ClientError {
    /// True if the daemon knows no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// The same, or in these words that the thing is not there.
    pub(crate) fn or_missing(self, words: String) -> anyhow::Error {
        if self.is_not_found() { anyhow::Error::msg(words) } else { self.into() }
    }

    /// True if the daemon said no, whatever its reason.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            _ => Err(format!("\"{text}\" is neither unix:///path nor tcp://address:port")),
        }
    }
}

impl Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// A daemon to speak with.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    host: Host,
    version: String,
}

/// The version of the API that this client speaks, unless it is told another.
pub(crate) const API_VERSION: &str = "1.51";

impl Client {
    /// A daemon at that place. Nothing is sent yet.
    pub(crate) fn new(host: Host, version: String) -> Self {
        Self { host, version }
    }

    /// Reads one thing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(self.send(Method::GET, path, Vec::new()).await?).await
    }

    /// Sends one thing, and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        read(self.send(Method::POST, path, serde_json::to_vec(body)?).await?).await
    }

    /// Sends one thing; the answer says nothing but yes.
    pub(crate) async fn tell(&self, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        self.send(Method::POST, path, serde_json::to_vec(body)?).await.map(drop)
    }

    /// Asks for something to be done that needs no words but the path.
    pub(crate) async fn order(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::POST, path, Vec::new()).await.map(drop)
    }

    /// Removes one thing.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::DELETE, path, Vec::new()).await.map(drop)
    }

    /// Sends any request, and returns the answer if it is a yes.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, ClientError> {
        let request =
            self.request(method, path).body(Full::new(Bytes::from(body))).expect("the parts are valid");
        self.exchange(request).await
    }

    /// Sends a request of one's own making; see [`Client::request`].
    pub(crate) async fn exchange<B>(&self, request: Request<B>) -> Result<Response<Incoming>, ClientError>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let response = match &self.host {
            Host::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| self.unreachable(error))?;
                over(TokioIo::new(stream), request).await?
            }
            Host::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|error| self.unreachable(error))?;
                over(TokioIo::new(stream), request).await?
            }
        };
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        Err(refused(response).await)
    }

    /// Sends a request and takes the connection over, for terminals and streams in both directions.
    pub(crate) async fn hijack(&self, path: &str, body: &impl Serialize) -> Result<Upgraded, ClientError> {
        let request = self.request(Method::POST, path).header(header::CONNECTION, "Upgrade");
        let request =
            request.header(header::UPGRADE, "tcp").body(Full::new(Bytes::from(serde_json::to_vec(body)?)));
        let response = self.exchange(request.expect("the parts are valid")).await?;
        Ok(hyper::upgrade::on(response).await?)
    }

    /// The start of a request for a path such as `/services/create?x=y`.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let agent = concat!("skep/", env!("CARGO_PKG_VERSION"));
        Request::builder()
            .method(method)
            .uri(format!("/v{}{path}", self.version))
            .header(header::HOST, "skep")
            .header(header::USER_AGENT, agent)
            .header(header::CONTENT_TYPE, "application/json")
    }

    fn unreachable(&self, error: std::io::Error) -> ClientError {
        ClientError::Unreachable(self.host.to_string(), error)
    }
}

/// One exchange over a fresh connection, which lives on in the background for as long as the body is read.
async fn over<S, B>(stream: TokioIo<S>, request: Request<B>) -> Result<Response<Incoming>, ClientError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the connection, which ends with the command"
    )]
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(api::read(&bytes)?)
}

/// The no in a response.
async fn refused(response: Response<Incoming>) -> ClientError {
    #[derive(serde::Deserialize)]
    struct Body {
        message: String,
    }
    let status = response.status();
    let bytes = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return ClientError::Broken(error),
    };
    let message = match serde_json::from_slice::<Body>(&bytes) {
        Ok(body) => body.message.trim_end().to_owned(),
        // An answer to HEAD has no words.
        Err(_) if bytes.is_empty() => status.to_string(),
        Err(_) => String::from_utf8_lossy(&bytes).trim().to_owned(),
    };
    ClientError::Refused { status, message }
}
