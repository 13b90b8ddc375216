//! Managers beyond the first, each behind its own door in this process, started as a daemon would.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::Credentials;
use model::node::Availability;
use rustls::{ClientConfig, ServerConfig};
use skep_manager::log::seal::{DataKey, Keys};
use skep_manager::services::LogBroker;
use skep_manager::transport::Outgoing;
use skep_manager::{Admission, Beginning, Door, Manager, ManagerConfig, Pace};
use store::State;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A manager of the swarm, behind its own door.
pub(crate) struct Peer {
    pub(crate) manager: Arc<Manager>,
    pub(crate) raft_id: u64,
    pub(crate) addr: String,
    pub(crate) credentials: Credentials,
    folder: tempfile::TempDir,
    door: Door,
    _shells: JoinSet<()>,
}

/// What is left of a manager that does not run.
pub(crate) struct Resting {
    raft_id: u64,
    addr: String,
    credentials: Credentials,
    folder: tempfile::TempDir,
}

/// TLS settings for both ends of connections.
pub(crate) struct Tls {
    client: watch::Receiver<Arc<ClientConfig>>,
    server: watch::Receiver<Arc<ServerConfig>>,
}

/// Where a manager keeps its log, where it is reached, and its number.
pub(crate) struct Place<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) addr: &'a str,
    pub(crate) raft_id: u64,
}

impl Peer {
    /// Joins the swarm of the manager at `via`.
    pub(crate) async fn join(via: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::join(folder.path(), via, token, Availability::Active).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let mut shells = JoinSet::new();
        let tls = follow(&credentials, &mut shells);
        let door = open_door(listener, &credentials, &tls);
        let client = tls.client.borrow().clone();
        let Admission { raft_id, members } = skep_manager::join(via, &addr, client).await.unwrap();
        let place = Place { folder: folder.path(), addr: &addr, raft_id };
        let (manager, _) = serve(&door, &credentials, tls, place, Beginning::Join(members)).await;
        let peer = Self { manager, raft_id, addr, credentials, folder, door, _shells: shells };
        peer.until(|state| state.cluster().is_some()).await;
        peer
    }

    /// Ends it, as a daemon that stops.
    pub(crate) async fn stop(self) -> Resting {
        let Self { manager, raft_id, addr, credentials, folder, door, _shells } = self;
        assert!(door.close(PATIENCE).await);
        assert!(Arc::into_inner(manager).unwrap().stop().await);
        Resting { raft_id, addr, credentials, folder }
    }

    /// Waits until its book is as wished.
    pub(crate) async fn until(&self, wished: impl Fn(&State) -> bool) -> Arc<State> {
        until(&self.manager, wished).await
    }
}

impl Resting {
    /// Starts it again.
    pub(crate) async fn start(self, beginning: Beginning) -> Peer {
        let Self { raft_id, addr, credentials, folder } = self;
        let mut shells = JoinSet::new();
        let tls = follow(&credentials, &mut shells);
        let door = open_door(TcpListener::bind(&addr).await.unwrap(), &credentials, &tls);
        let place = Place { folder: folder.path(), addr: &addr, raft_id };
        let (manager, _) = serve(&door, &credentials, tls, place, beginning).await;
        Peer { manager, raft_id, addr, credentials, folder, door, _shells: shells }
    }
}

/// Opens the door of these credentials' node.
pub(crate) fn open_door(listener: TcpListener, credentials: &Credentials, tls: &Tls) -> Door {
    let cluster = credentials.identity().subject.cluster_id().unwrap();
    Door::open(listener, cluster, tls.server.clone())
}

/// Starts a manager behind its door.
pub(crate) async fn serve(
    door: &Door,
    credentials: &Credentials,
    tls: Tls,
    place: Place<'_>,
    beginning: Beginning,
) -> (Arc<Manager>, LogBroker) {
    let identity = credentials.identity();
    let Place { folder, addr, raft_id } = place;
    let (outgoing, messages) = Outgoing::new(tls.client.clone());
    let config = ManagerConfig {
        state_dir: folder.join("raft"),
        raft_id,
        node_id: identity.subject.node_id().unwrap(),
        addr: addr.to_owned(),
        cluster: identity.subject.cluster_id().unwrap(),
        keys: Keys::only(DataKey::new([7; 32])),
        // Patient, since many tests share few processors.
        pace: Pace { election_ticks: 10, ..Pace::default() },
        tls: tls.client,
        messages,
    };
    let manager = Arc::new(Manager::start(config, beginning).await.unwrap());
    let logs = LogBroker::default();
    door.serve(&manager, logs.clone(), outgoing);
    (manager, logs)
}

/// Waits until a manager's book is as wished.
pub(crate) async fn until(manager: &Manager, wished: impl Fn(&State) -> bool) -> Arc<State> {
    let mut book = manager.book().watch();
    let reached = tokio::time::timeout(PATIENCE, book.wait_for(|state| wished(state)));
    reached.await.expect("the swarm gets there").unwrap().clone()
}

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// TLS settings that follow these credentials.
pub(crate) fn follow(credentials: &Credentials, shells: &mut JoinSet<()>) -> Tls {
    let mut identity = credentials.subscribe();
    let first = identity.borrow_and_update().clone();
    let (client, as_client) = watch::channel(first.client_tls().unwrap());
    let (server, as_server) = watch::channel(first.server_tls().unwrap());
    shells.spawn(async move {
        while identity.changed().await.is_ok() {
            let identity = identity.borrow_and_update().clone();
            client.send_replace(identity.client_tls().unwrap());
            server.send_replace(identity.server_tls().unwrap());
        }
    });
    Tls { client: as_client, server: as_server }
}
