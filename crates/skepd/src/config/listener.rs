//! Where the API is served.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One place where the API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port, with TLS if files are named.
    Tcp(SocketAddr, Option<TlsFiles>),
}

/// Where certificate and keys of the API are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The server's certificate, PEM.
    pub(crate) certificate: PathBuf,
    /// The server's key, PEM.
    pub(crate) key: PathBuf,
    /// The authority of clients, PEM; absent means that clients need no certificate.
    pub(crate) clients: Option<PathBuf>,
}

impl Listener {
    /// Reads `unix:///path` or `tcp://address:port`.
    pub(super) fn parse(text: &str, tls: Option<&TlsFiles>) -> Result<Self> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("unix", path)) => bail!("host: the path of unix://{path} must begin with /"),
            Some(("tcp", address)) => {
                let address = address.parse().with_context(|| {
                    format!("host: \"{address}\" is no address with port, such as 127.0.0.1:2376")
                })?;
                Ok(Self::Tcp(address, tls.cloned()))
            }
            _ => bail!("host: \"{text}\" is neither unix:///path nor tcp://address:port"),
        }
    }
}
