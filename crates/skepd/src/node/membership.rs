//! A membership at work: a manager, its door for other nodes, and an agent; or less of it on a worker.
//!
//! In: files that say how this node takes part, and for the first manager what the swarm begins with. Out: running
//! shells, stopped together in reverse.

use std::net::SocketAddr;
use std::sync::Arc;

use agent::{Agent, AgentConfig, Credentials};
use anyhow::{Context, Result, bail};
use control::leader::Founding;
use host::shutdown::Shutdown;
use manager::keys::LogKeys;
use manager::services::{LogBroker, LogReader, Services};
use manager::{Manager, ManagerConfig};
use model::{Chance, Duration, NodeId};
use pki::Identity;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::files::{Participation, SwarmFiles};
use crate::executor::ContainerExecutor;

/// The unit of heartbeats and elections between skep managers.
const TICK: Duration = Duration::from_millis(100);
/// Messages to other managers that may wait.
const MESSAGES_WAITING_MAX: usize = 4_096;
/// How long the door may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// A membership at work.
pub(crate) struct Membership {
    /// The manager.
    pub(crate) manager: Manager,
    /// Which node this is.
    pub(crate) node_id: NodeId,
    /// What others are told.
    pub(crate) advertise: SocketAddr,
    /// The way to what tasks write.
    pub(crate) logs: LogReader,
    agent: Agent,
    door: Shutdown,
}

/// What a membership starts with.
pub(crate) struct Start<'a> {
    /// What this node keeps.
    pub(crate) files: &'a SwarmFiles,
    /// How it takes part.
    pub(crate) participation: Participation,
    /// What the swarm begins with, on the first manager's first start.
    pub(crate) founding: Option<Founding>,
    /// Its hands.
    pub(crate) executor: Arc<ContainerExecutor>,
}

impl Membership {
    /// Starts everything: the manager, then its door, then the agent that speaks through it.
    pub(crate) async fn start(start: Start<'_>) -> Result<Self> {
        let Start { files, participation, founding, executor } = start;
        let Participation { listen_addr, advertise_addr, raft_id } = participation;
        let credentials = credentials(files)?;
        let node_id = credentials.identity().subject.node_id().context("the certificate names no node")?;
        let keys = LogKeys::read(&credentials.key_file()?, None)?;
        let keys = keys.context("the key file holds no key for the log")?;
        let listener = listen(listen_addr).await?;

        let config = ManagerConfig {
            state_dir: files.raft(),
            raft_id,
            node_id,
            addr: advertise_addr.to_string(),
            keys: keys.for_log(),
            tick: TICK,
            messages: to_nobody(),
        };
        let manager = Manager::start(config, founding).await?;
        let door = Shutdown::new();
        let broker = LogBroker::default();
        let logs = LogReader::new(broker.clone(), manager.book().watch());
        let tls = follow(&door, credentials.subscribe(), &executor)?;
        open_door(&door, &manager, (listener, tls), broker);

        let agent = AgentConfig {
            node_id,
            state_dir: files.worker(),
            managers: vec![local(listen_addr).to_string()],
            identity: credentials.subscribe(),
            chance: chance()?,
        };
        let agent = Agent::start(agent, executor).context("starting the agent")?;
        let (news, chance, stop) = (agent.news(), chance()?, door.token().clone());
        door.spawn(async move { credentials.keep_fresh(news, chance, stop).await });
        Ok(Self { manager, node_id, advertise: advertise_addr, logs, agent, door })
    }

    /// Stops everything, the agent first. Containers go on.
    pub(crate) async fn stop(self) {
        let Self { manager, node_id: _, advertise: _, logs: _, agent, door } = self;
        agent.stop().await;
        if !door.finish(CLOSE_MAX).await {
            warn!("some calls of other nodes did not end in time");
        }
        if !manager.stop().await {
            warn!("the manager did not end in time");
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "listening on {address} for other nodes; another swarm node may run here, or give --listen-addr"
        )
    })
}

/// The credentials of this node, if they still let it speak.
fn credentials(files: &SwarmFiles) -> Result<Credentials> {
    let credentials =
        Credentials::load(&files.certificates(), None)?.context("the credentials of this node are gone")?;
    if credentials.identity().validity.until < host::clock::now() {
        bail!("the certificate of this node has expired; to replace it, leave the swarm and join again");
    }
    Ok(credentials)
}

/// Follows this node's identity: the door takes each new certificate, and the executor tells of it.
fn follow(
    door: &Shutdown,
    mut identity: watch::Receiver<Arc<Identity>>,
    executor: &Arc<ContainerExecutor>,
) -> Result<watch::Receiver<Arc<ServerConfig>>> {
    let first = identity.borrow_and_update().clone();
    executor.identify(first.tls_info());
    let (changed, tls) = watch::channel(first.server_tls()?);
    let (executor, stop) = (Arc::clone(executor), door.token().clone());
    door.spawn(async move {
        while let Some(Ok(())) = stop.run_until_cancelled(identity.changed()).await {
            let identity = identity.borrow_and_update().clone();
            executor.identify(identity.tls_info());
            match identity.server_tls() {
                Ok(tls) => drop(changed.send_replace(tls)),
                Err(error) => warn!("the new certificate cannot be served: {error}"),
            }
        }
    });
    Ok(tls)
}

fn open_door(
    door: &Shutdown,
    manager: &Manager,
    (listener, tls): (TcpListener, watch::Receiver<Arc<ServerConfig>>),
    logs: LogBroker,
) {
    let services = Services { ask: manager.ask().clone(), book: manager.book().watch(), logs };
    let stop = door.token().clone();
    door.spawn(async move {
        match wire::channel::serve(listener, tls, services.routes(), stop.cancelled_owned()).await {
            Ok(()) => info!("the door for other nodes is closed"),
            Err(error) => warn!("the door for other nodes broke: {error}"),
        }
    });
}

/// Where this node itself reaches its own door.
fn local(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() { SocketAddr::new([127, 0, 0, 1].into(), listen.port()) } else { listen }
}

/// A group of one sends nothing; what is put in here is lost, as messages may be.
fn to_nobody() -> mpsc::Sender<raft::Message> {
    mpsc::channel(MESSAGES_WAITING_MAX).0
}

fn chance() -> Result<Chance> {
    host::chance::chance().context("asking the kernel for chance")
}
