//! A membership at work: an agent, and a manager while the node's certificate is one's.
//!
//! In: files that say how this node takes part, and for the first manager what the swarm begins with. Out: running
//! shells, stopped together in reverse, and what they know of this node and its managers.

use std::sync::Arc;

use agent::{Agent, AgentConfig, Credentials, News};
use anyhow::{Context, Result, bail};
use api::swarm::Peer;
use host::shutdown::Shutdown;
use manager::Pace;
use model::node::NodeRole;
use model::{Chance, Duration, NodeId};
use pki::UnlockKey;
use tokio::sync::watch;
use tracing::warn;

use super::files::{Participation, SwarmFiles};
use super::office::Opening;
use super::post::{Duty, Post};
use super::tls::Tls;
use crate::executor::ContainerExecutor;
use crate::standing::{Facts, Standing};

/// How long the way down may take, beyond what the agent needs: the manager's door closes, then its log.
const DOWN_MAX: Duration = Duration::from_secs(15);

/// A membership at work.
pub(super) struct Membership {
    node_id: NodeId,
    participation: Participation,
    credentials: Arc<Credentials>,
    files: SwarmFiles,
    agent: Agent,
    duty: watch::Receiver<Duty>,
    news: watch::Receiver<Option<Arc<News>>>,
    /// The managers as they were last heard of.
    managers: Vec<Peer>,
    shutdown: Shutdown,
}

/// What a membership starts with.
pub(super) struct Start {
    /// What this node keeps.
    pub(super) files: SwarmFiles,
    /// How it takes part.
    pub(super) participation: Participation,
    /// With what its manager begins, if it is one.
    pub(super) opening: Opening,
    /// What its key is sealed with, if it is.
    pub(super) unlock: Option<UnlockKey>,
    /// How soon managers take each other for lost.
    pub(super) pace: Pace,
    /// Its hands.
    pub(super) executor: Arc<ContainerExecutor>,
}

impl Membership {
    /// Starts everything. The manager comes when it can.
    pub(super) async fn start(start: Start) -> Result<Self> {
        let Start { files, participation, opening, unlock, pace, executor } = start;
        let credentials = Arc::new(credentials(&files, unlock)?);
        let node_id = credentials.identity().subject.node_id().context("the certificate names no node")?;
        let managers = match opening {
            Opening::Usual => files.managers()?,
            Opening::Founding(_) | Opening::Alone => Vec::new(),
        };
        let known = known_addrs(&managers, &participation);
        let shutdown = Shutdown::new();
        let identify = {
            let executor = Arc::clone(&executor);
            move |identity: &pki::Identity| executor.identify(identity.tls_info())
        };
        let tls = Tls::follow(credentials.subscribe(), &shutdown, identify)?;
        let local = watch::Sender::new(None);
        let agent = AgentConfig {
            node_id,
            state_dir: files.worker(),
            managers: known.clone(),
            local: local.subscribe(),
            identity: credentials.subscribe(),
            chance: chance()?,
        };
        let agent = Agent::start(agent, executor).context("starting the agent")?;
        let news = agent.news();

        let first = match credentials.identity().subject.role() {
            Some(NodeRole::Manager) => Duty::Preparing(None),
            Some(NodeRole::Worker) | None => Duty::None,
        };
        let (told, duty) = watch::channel(first);
        let post = Post {
            files: files.clone(),
            participation: participation.clone(),
            credentials: Arc::clone(&credentials),
            tls,
            pace,
            opening,
            managers: known_managers(&shutdown, news.clone(), known),
            local,
            duty: told,
        };
        shutdown.spawn(post.run(shutdown.token().clone()));
        keep_fresh(&shutdown, Arc::clone(&credentials), news.clone())?;
        Ok(Self { node_id, participation, credentials, files, agent, duty, news, managers, shutdown })
    }

    /// Returns when this node is what it shall be: a manager that has its book, or a worker that is registered.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) async fn ready(&mut self) -> Result<()> {
        if self.role() == Some(NodeRole::Manager) {
            let settled = |duty: &Duty| !matches!(duty, Duty::None | Duty::Preparing(None));
            let duty = self.duty.wait_for(settled).await.context("the membership has ended")?.clone();
            match duty {
                Duty::Preparing(Some(why)) | Duty::Failed(why) => bail!("manager stopped: {why}"),
                Duty::Removed => bail!("manager stopped: {REMOVED}"),
                Duty::None | Duty::Preparing(None) | Duty::Manager(_) => {}
            }
        }
        self.news.wait_for(Option::is_some).await.context("the agent has ended")?;
        Ok(())
    }

    /// Returns when its manager has begun, or cannot; for a worker at once.
    pub(super) async fn settled(&mut self) {
        if self.role() == Some(NodeRole::Manager) {
            // If the post has ended, its last word is there.
            let _ = self.duty.wait_for(|duty| !matches!(duty, Duty::None | Duty::Preparing(None))).await;
        }
    }

    /// Returns when something is to be said anew of this node.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::select! {
                Ok(()) = self.duty.changed() => return,
                Ok(()) = self.news.changed() => if self.hear() { return },
                else => std::future::pending().await,
            }
        }
    }

    /// Which node this is.
    pub(super) fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// What its key is sealed with, if it is.
    pub(super) fn unlock_key(&self) -> Option<UnlockKey> {
        self.credentials.unlock_key()
    }

    /// Which role this node's certificate is for.
    pub(super) fn role(&self) -> Option<NodeRole> {
        self.credentials.identity().subject.role()
    }

    /// What this node is now.
    pub(super) fn standing(&mut self) -> Standing {
        self.hear();
        let duty = self.duty.borrow_and_update().clone();
        let facts = self.facts();
        match duty {
            Duty::None => Standing::Worker(facts),
            Duty::Preparing(None) => Standing::Pending(facts),
            Duty::Preparing(Some(why)) | Duty::Failed(why) => Standing::Broken(facts, why),
            Duty::Removed => Standing::Broken(facts, REMOVED.to_owned()),
            Duty::Manager(manager) => Standing::Manager(facts, manager),
        }
    }

    /// Stops everything, the agent first. Containers go on.
    pub(super) async fn stop(self) {
        self.agent.stop().await;
        if !self.shutdown.finish(DOWN_MAX).await {
            warn!("the membership did not end in time");
        }
    }

    /// Takes in which managers there are, and notes it for the next start. False if nothing has changed.
    fn hear(&mut self) -> bool {
        let Some(news) = self.news.borrow_and_update().clone() else { return false };
        let managers = peers(&news);
        if managers.is_empty() || managers == self.managers {
            return false;
        }
        if let Err(error) = self.files.know(&managers) {
            warn!("noting which managers there are: {error:#}");
        }
        self.managers = managers;
        true
    }

    fn facts(&self) -> Facts {
        let addr = self.participation.advertise_addr.ip().to_string();
        Facts { node_id: Some(self.node_id), addr, managers: self.managers.clone() }
    }
}

impl Drop for Membership {
    /// Lets nothing run on that nobody holds.
    fn drop(&mut self) {
        self.shutdown.token().cancel();
    }
}

/// The certificate of this node has ended, so that nobody listens to it any more.
#[derive(Debug, thiserror::Error)]
#[error("the certificate of this node has expired; to replace it, leave the swarm and join again")]
pub(super) struct Expired;

/// The credentials of this node, if they still let it speak.
fn credentials(files: &SwarmFiles, unlock: Option<UnlockKey>) -> Result<Credentials> {
    let credentials =
        Credentials::load(&files.certificates(), unlock)?.context("the credentials of this node are gone")?;
    if credentials.identity().validity.until < host::clock::now() {
        bail!(Expired);
    }
    Ok(credentials)
}

/// Renews the certificate when it is time.
fn keep_fresh(
    shutdown: &Shutdown,
    credentials: Arc<Credentials>,
    news: watch::Receiver<Option<Arc<News>>>,
) -> Result<()> {
    let (chance, stop) = (chance()?, shutdown.token().clone());
    shutdown.spawn(async move { credentials.keep_fresh(news, chance, stop).await });
    Ok(())
}

/// Addresses of managers: those that were heard of last, else those that are known from before.
fn known_managers(
    shutdown: &Shutdown,
    mut news: watch::Receiver<Option<Arc<News>>>,
    known: Vec<String>,
) -> watch::Receiver<Vec<String>> {
    let (told, managers) = watch::channel(known);
    let stop = shutdown.token().clone();
    shutdown.spawn(async move {
        while let Some(Ok(())) = stop.run_until_cancelled(news.changed()).await {
            let heard = news.borrow_and_update().clone();
            let heard = heard.iter().flat_map(|news| &news.managers).map(|peer| peer.addr.clone());
            let heard: Vec<String> = heard.collect();
            if !heard.is_empty() {
                told.send_replace(heard);
            }
        }
    });
    managers
}

fn known_addrs(managers: &[Peer], participation: &Participation) -> Vec<String> {
    let known: Vec<String> = managers.iter().map(|peer| peer.addr.clone()).collect();
    let joined = Some(participation.remote_addr.clone()).filter(|addr| !addr.is_empty());
    if known.is_empty() { joined.into_iter().collect() } else { known }
}

fn peers(news: &News) -> Vec<Peer> {
    let peer =
        |peer: &control::leader::Peer| Peer { node_id: peer.node_id.to_string(), addr: peer.addr.clone() };
    let mut peers: Vec<Peer> = news.managers.iter().map(peer).collect();
    peers.sort_by(|one, other| one.node_id.cmp(&other.node_id));
    peers
}

fn chance() -> Result<Chance> {
    host::chance::chance().context("asking the kernel for chance")
}

/// What a manager says that was let go without becoming a worker.
const REMOVED: &str = "this node was removed from the group of managers; demote it from another manager, or let it \
                       leave the swarm and join again";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::founding::{self, Beginning, Wishes};

    #[test]
    fn a_node_whose_certificate_has_ended_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let files = SwarmFiles::below(folder.path(), &folder.path().join("run"));
        let long_ago = host::clock::now() - Duration::from_secs(100 * 24 * 3600);
        let wishes = Wishes::of(api::read(b"{}").unwrap()).unwrap();
        let chance = &mut host::chance::chance().unwrap();
        let Beginning { identity, chain, key, .. } = founding::begin(wishes, long_ago, chance).unwrap();
        let (roots, key) = (identity.roots().clone(), key.to_file());
        Credentials::begin(&files.certificates(), roots, (&chain, &key), None, long_ago).unwrap();

        let error = credentials(&files, None).err().unwrap().context("taking part in the swarm");
        assert!(error.is::<Expired>(), "{error:#}");
    }
}
