//! A manager at work: its door for other nodes, its log, its place in the group.
//!
//! In: the post that it is the office of. Out: a manager that has its book. What it is told to begin with is done
//! only once; after that it goes on with what it has stored.

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, bail};
use control::leader::Founding;
use manager::keys::{KeysError, LogKeys};
use manager::services::{LogBroker, LogReader};
use manager::transport::Outgoing;
use manager::{Admission, Beginning, Door, Manager, ManagerConfig};
use model::Duration;
use tokio::net::TcpListener;
use tracing::warn;

use super::files::Participation;
use super::lock::Keeper;
use super::post::Post;
use crate::standing;

/// With what the first office of a post opens.
#[derive(Clone, Debug)]
pub(super) enum Opening {
    /// With what is stored; without, by joining the group.
    Usual,
    /// With a new swarm.
    Founding(Box<Founding>),
    /// With what is stored, and nobody else.
    Alone,
}

/// A manager at work.
pub(super) struct Office {
    /// The manager.
    pub(super) manager: Manager,
    /// The way to what tasks write.
    logs: LogReader,
    /// Where this node itself finds it.
    pub(super) local: String,
    /// Keeps its key sealed as the swarm wants it.
    pub(super) keeper: Keeper,
    door: Door,
}

/// How long the door may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(5);

impl Office {
    /// Opens the door, finds the manager's place in the group, and waits until it has its book.
    pub(super) async fn open(post: &mut Post) -> Result<Self> {
        let identity = post.credentials.identity();
        let cluster = identity.subject.cluster_id().context("the certificate names no swarm")?;
        let listen_addr = post.participation.listen_addr;
        let door = Door::open(listen(listen_addr).await?, cluster, post.tls.server.clone());
        let (outgoing, messages) = Outgoing::new(post.tls.client.clone());
        let (raft_id, beginning) = beginning(post).await?;
        let config = ManagerConfig {
            state_dir: post.files.raft(),
            raft_id,
            node_id: identity.subject.node_id().context("the certificate names no node")?,
            addr: post.participation.advertise_addr.to_string(),
            cluster,
            keys: log_keys(post)?.for_log(),
            pace: post.pace,
            tls: post.tls.client.clone(),
            messages,
        };
        let manager = Manager::start(config, beginning).await?;
        let broker = LogBroker::default();
        let logs = LogReader::new(broker.clone(), manager.ask(), manager.book().watch());
        door.serve(&manager, broker, outgoing);
        manager.settle().await;
        until_it_has_its_book(&manager).await?;
        post.opening = Opening::Usual;
        if std::mem::take(&mut post.participation.joining) {
            post.files.take_part(&post.participation)?;
        }
        let chance = host::chance::chance().context("asking the kernel for chance")?;
        let keeper = Keeper::new(&post.credentials, &manager, chance);
        Ok(Self { manager, logs, local: local(listen_addr).to_string(), door, keeper })
    }

    /// What routes work with.
    pub(super) fn handle(&self) -> standing::Manager {
        let (book, leader) = (self.manager.book().clone(), self.manager.ask().clone());
        standing::Manager { book, leader, logs: self.logs.clone() }
    }

    /// Lets another lead, closes the door, then stops the manager.
    pub(super) async fn close(self) {
        let Self { manager, logs: _, local: _, keeper: _, door } = self;
        manager.hand_over().await;
        if !door.close(CLOSE_MAX).await {
            warn!("some calls of other nodes did not end in time");
        }
        if !manager.stop().await {
            warn!("the manager did not end in time");
        }
    }
}

/// A manager that joins is told everything first.
async fn until_it_has_its_book(manager: &Manager) -> Result<()> {
    let mut book = manager.book().watch();
    tokio::select! {
        told = book.wait_for(|state| state.cluster().is_some()) => told.map(|_| ()).context("the manager has ended"),
        failure = manager.failure() => Err(failure.into()),
        () = manager.removed() => bail!("the group of managers has let this one go"),
    }
}

/// The manager's number in the group, and with what it begins. One that is not in the group yet, or was not told
/// everything, asks to be taken in: nobody is taken in twice.
async fn beginning(post: &mut Post) -> Result<(u64, Beginning)> {
    let Participation { raft_id, joining, .. } = post.participation;
    match &post.opening {
        Opening::Founding(founding) => return Ok((raft_id, Beginning::Found(founding.clone()))),
        Opening::Alone => return Ok((raft_id, Beginning::Anew)),
        Opening::Usual if raft_id != 0 && !joining => return Ok((raft_id, Beginning::Resume)),
        Opening::Usual => {}
    }
    let Admission { raft_id, members } = ask_to_join(post).await?;
    if raft_id != post.participation.raft_id {
        // What is left of an earlier time in the group belongs to another number.
        post.files.forget_log()?;
        (post.participation.raft_id, post.participation.joining) = (raft_id, true);
        post.files.take_part(&post.participation)?;
    }
    Ok((raft_id, Beginning::Join(members)))
}

/// Asks one known manager after the other to be taken into the group.
async fn ask_to_join(post: &Post) -> Result<Admission> {
    let addr = post.participation.advertise_addr.to_string();
    let known = post.managers.borrow().clone();
    let mut last = None;
    for manager in known.iter().filter(|known| **known != addr) {
        let tls = post.tls.client.borrow().clone();
        match manager::join(manager, &addr, tls).await {
            Ok(admission) => return Ok(admission),
            Err(status) => last = Some(status),
        }
    }
    let status = last.context("can't initialize raft node: no manager is known")?;
    let (code, message) = (status.code(), status.message());
    Err(anyhow!("can't initialize raft node: rpc error: code = {code:?} desc = {message}"))
}

/// The keys of the log; new ones for one that is yet to be written.
fn log_keys(post: &Post) -> Result<LogKeys> {
    let chance = &mut host::chance::chance().context("asking the kernel for chance")?;
    let keys = post.credentials.edit_key_file(|file, unlock| {
        if let Some(keys) = LogKeys::read(file, unlock.as_ref())? {
            return Ok(keys);
        }
        let keys = LogKeys::random(chance);
        keys.write(file, unlock.as_ref(), chance);
        Ok::<_, KeysError>(keys)
    });
    Ok(keys??)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "listening on {address} for other nodes; another swarm node may run here, or give --listen-addr"
        )
    })
}

/// Where this node itself reaches its own door.
fn local(listen: SocketAddr) -> SocketAddr {
    match listen.ip().is_unspecified() {
        true if listen.is_ipv4() => SocketAddr::new([127, 0, 0, 1].into(), listen.port()),
        true => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), listen.port()),
        false => listen,
    }
}
