//! Speaks with a daemon over HTTP: plain answers, streams, and raw connections for terminals.
//!
//! One connection for each request: a unix socket costs nothing, and nothing has to be kept alive.

mod error;
mod host;
mod tls;

use std::sync::Arc;

use api::ApiVersion;
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
use tokio::sync::OnceCell;

pub(crate) use error::ClientError;
pub(crate) use host::{Host, USUAL};
pub(crate) use tls::{Tls, TlsFlags};

/// A daemon to speak with.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    host: Host,
    tls: Option<Tls>,
    /// The version of the API that is spoken, as soon as it is agreed upon.
    version: Arc<OnceCell<ApiVersion>>,
}

impl Client {
    /// A daemon at that place, and the version of the API to speak, if one is wished. Nothing is sent yet.
    pub(crate) fn new(host: Host, tls: Option<Tls>, version: Option<ApiVersion>) -> Self {
        Self { host, tls, version: Arc::new(OnceCell::new_with(version)) }
    }

    /// The version of the API that is spoken: the wished one, else the newest that both know.
    pub(crate) async fn version(&self) -> Result<ApiVersion, ClientError> {
        self.version.get_or_try_init(|| self.agreed()).await.copied()
    }

    async fn agreed(&self) -> Result<ApiVersion, ClientError> {
        let request = plain(Method::HEAD, "/_ping").body(Full::<Bytes>::default());
        let answer = match self.exchange(request.expect("the parts are valid")).await {
            Ok(answer) => answer,
            // Who does not know the question is as old as can be.
            Err(error) if error.is_refusal() => return Ok(ApiVersion::MIN),
            Err(error) => return Err(error),
        };
        let theirs = answer.headers().get("api-version").and_then(|text| text.to_str().ok()?.parse().ok());
        Ok(theirs.unwrap_or(ApiVersion::MIN).min(ApiVersion::MAX))
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
        let request = self.request(method, path).await?.body(Full::new(Bytes::from(body)));
        self.exchange(request.expect("the parts are valid")).await
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
            Host::Tcp { name, port } => {
                let place = (name.as_str(), *port);
                let stream = TcpStream::connect(place).await.map_err(|error| self.unreachable(error))?;
                match &self.tls {
                    None => over(TokioIo::new(stream), request).await?,
                    Some(tls) => {
                        let untrusted = |error| ClientError::Untrusted(self.host.to_string(), error);
                        let stream = tls.over(stream, name).await.map_err(untrusted)?;
                        over(TokioIo::new(stream), request).await?
                    }
                }
            }
        };
        // What is so already is no no: a container that runs is started with 304.
        if response.status() < StatusCode::BAD_REQUEST {
            return Ok(response);
        }
        Err(refused(response).await)
    }

    /// Sends a request and takes the connection over, for terminals and streams in both directions.
    pub(crate) async fn hijack(&self, path: &str, body: &impl Serialize) -> Result<Upgraded, ClientError> {
        let request = self.request(Method::POST, path).await?.header(header::CONNECTION, "Upgrade");
        let request =
            request.header(header::UPGRADE, "tcp").body(Full::new(Bytes::from(serde_json::to_vec(body)?)));
        let response = self.exchange(request.expect("the parts are valid")).await?;
        Ok(hyper::upgrade::on(response).await?)
    }

    /// The start of a request for a path such as `/services/create?x=y`.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
    ) -> Result<http::request::Builder, ClientError> {
        Ok(plain(method, &format!("/v{}{path}", self.version().await?)))
    }

    fn unreachable(&self, error: std::io::Error) -> ClientError {
        ClientError::Unreachable(self.host.to_string(), error)
    }
}

/// The start of a request whose path is whole.
fn plain(method: Method, path: &str) -> http::request::Builder {
    let agent = concat!("skep/", env!("CARGO_PKG_VERSION"));
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "skep")
        .header(header::USER_AGENT, agent)
        .header(header::CONTENT_TYPE, "application/json")
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
        Err(error) => return ClientError::from(error),
    };
    let message = match serde_json::from_slice::<Body>(&bytes) {
        Ok(body) => body.message.trim_end().to_owned(),
        // An answer to HEAD has no words.
        Err(_) if bytes.is_empty() => status.to_string(),
        Err(_) => String::from_utf8_lossy(&bytes).trim().to_owned(),
    };
    ClientError::Refused { status, message }
}
