//! A manager's door: where other nodes come in, and from where messages to other managers go out.
//!
//! In: a socket, TLS settings that may change, and the manager once there is one. Out: its services, and messages on
//! their way. It is open before there is a manager, so that those who take it into their group find somebody there.

use std::sync::Arc;

use host::shutdown::Shutdown;
use model::{ClusterId, Duration};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;

use crate::manager::Manager;
use crate::services::{LogBroker, waiting_routes};
use crate::transport::Outgoing;

/// An open door.
#[derive(Debug)]
pub struct Door {
    routes: watch::Sender<Routes>,
    shutdown: Shutdown,
}

impl Door {
    /// Opens the door of a node of this swarm. Until there is a manager, it only says that it is there.
    pub fn open(listener: TcpListener, cluster: ClusterId, tls: watch::Receiver<Arc<ServerConfig>>) -> Self {
        let (routes, shown) = watch::channel(waiting_routes(cluster));
        let shutdown = Shutdown::new();
        let stop = shutdown.token().clone();
        shutdown.spawn(async move {
            match wire::channel::serve(listener, tls, shown, stop.cancelled_owned()).await {
                Ok(()) => tracing::info!("the door for other nodes is closed"),
                Err(error) => tracing::warn!("the door for other nodes broke: {error}"),
            }
        });
        Self { routes, shutdown }
    }

    /// Lets others speak with the manager, and carries its messages.
    pub fn serve(&self, manager: &Manager, logs: LogBroker, outgoing: Outgoing) {
        let (group, members) = (manager.group().clone(), manager.book().members());
        self.shutdown.spawn(outgoing.run(group, members, self.shutdown.token().clone()));
        self.routes.send_replace(manager.services(logs).routes());
    }

    /// Closes it, and waits for calls under way, but not beyond the deadline. True if all ended.
    pub async fn close(self, deadline: Duration) -> bool {
        self.shutdown.finish(deadline).await
    }
}

impl Drop for Door {
    /// Lets nothing run on that nobody holds.
    fn drop(&mut self) {
        self.shutdown.token().cancel();
    }
}
