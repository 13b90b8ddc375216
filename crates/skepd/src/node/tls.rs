//! How this node speaks TLS with other nodes, whenever its certificate or its roots change.

use std::sync::Arc;

use anyhow::Result;
use host::shutdown::Shutdown;
use pki::Identity;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;
use tracing::warn;

/// Settings of the moment, for both ends of connections.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// With what it calls others.
    pub(super) client: watch::Receiver<Arc<ClientConfig>>,
    /// With what it is called.
    pub(super) server: watch::Receiver<Arc<ServerConfig>>,
}

impl Tls {
    /// Settings that follow this identity until the way down begins. `told` hears of each new one.
    pub(super) fn follow(
        mut identity: watch::Receiver<Arc<Identity>>,
        shutdown: &Shutdown,
        told: impl Fn(&Identity) + Send + 'static,
    ) -> Result<Self> {
        let first = identity.borrow_and_update().clone();
        told(&first);
        let (client, client_seen) = watch::channel(first.client_tls()?);
        let (server, server_seen) = watch::channel(first.server_tls()?);
        let stop = shutdown.token().clone();
        shutdown.spawn(async move {
            while let Some(Ok(())) = stop.run_until_cancelled(identity.changed()).await {
                let identity = identity.borrow_and_update().clone();
                told(&identity);
                match (identity.client_tls(), identity.server_tls()) {
                    (Ok(as_client), Ok(as_server)) => {
                        client.send_replace(as_client);
                        server.send_replace(as_server);
                    }
                    (Err(error), _) | (_, Err(error)) => warn!("the new certificate cannot be used: {error}"),
                }
            }
        });
        Ok(Self { client: client_seen, server: server_seen })
    }
}
