//! A node's post as a manager: taken up when its certificate says so, given up when it does not any more.
//!
//! In: the node's credentials as they change, and how it takes part. Out: a [`Duty`] that everybody may watch. A post
//! that cannot be taken up is tried again, after growing pauses; tasks on this node do not notice.

use std::sync::Arc;

use agent::Credentials;
use anyhow::Result;
use manager::keys::LogKeys;
use manager::{Failure, Pace};
use model::Duration;
use model::node::NodeRole;
use pki::Identity;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::files::{Participation, SwarmFiles};
use super::office::{Office, Opening};
use super::tls::Tls;
use crate::standing::Manager;

/// What a node is to the group of managers.
#[derive(Clone, Debug)]
pub(super) enum Duty {
    /// Nothing: it is a worker.
    None,
    /// On its way to be a manager; why it is not one yet, if something is in the way.
    Preparing(Option<String>),
    /// A manager.
    Manager(Manager),
    /// No manager any more, though its certificate still says so.
    Removed,
    /// No manager until the daemon starts again, and why.
    Failed(String),
}

/// What a post stands upon.
pub(super) struct Post {
    /// What this node keeps.
    pub(super) files: SwarmFiles,
    /// How it takes part.
    pub(super) participation: Participation,
    /// Who it is, and its key file.
    pub(super) credentials: Arc<Credentials>,
    /// How it speaks with other nodes.
    pub(super) tls: Tls,
    /// How soon managers take each other for lost.
    pub(super) pace: Pace,
    /// With what the first office opens, if not as usual.
    pub(super) opening: Opening,
    /// Managers that may know the way into the group; the latest that the agent heard of.
    pub(super) managers: watch::Receiver<Vec<String>>,
    /// Where the agent finds this node's manager.
    pub(super) local: watch::Sender<Option<String>>,
    /// What is told to others.
    pub(super) duty: watch::Sender<Duty>,
}

/// How a time in office ended.
enum End {
    /// The certificate is a worker's now.
    Demoted,
    /// The group has let this manager go.
    Removed,
    /// The manager can do no more.
    Failed(Failure),
    /// The daemon is on its way down, or leaves the swarm.
    Stopped,
}

/// The pause before an office is tried to be opened again grows from this
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

impl Post {
    /// Follows the certificate until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut identity = self.credentials.subscribe();
        loop {
            if identity.borrow().subject.role() != Some(NodeRole::Manager) {
                self.duty.send_replace(Duty::None);
            }
            if stop.run_until_cancelled(until_role(&mut identity, NodeRole::Manager)).await.is_none() {
                return;
            }
            self.duty.send_replace(Duty::Preparing(None));
            match self.serve(&mut identity, &stop).await {
                End::Demoted => self.forget(),
                End::Removed => {
                    info!("the group of managers has let this one go");
                    self.duty.send_replace(Duty::Removed);
                    let demoted = until_role(&mut identity, NodeRole::Worker);
                    if stop.run_until_cancelled(demoted).await.is_none() {
                        return;
                    }
                    self.forget();
                }
                End::Failed(failure) => {
                    error!("the manager has ended: {failure:#}");
                    let failure = anyhow::Error::new(failure)
                        .context("the manager has ended; mend what it says and restart skepd");
                    self.duty.send_replace(Duty::Failed(format!("{failure:#}")));
                    return;
                }
                End::Stopped => return,
            }
        }
    }

    /// Opens an office and stays in it.
    async fn serve(
        &mut self,
        identity: &mut watch::Receiver<Arc<Identity>>,
        stop: &CancellationToken,
    ) -> End {
        let mut office = tokio::select! {
            office = self.open_office() => office,
            () = until_role(identity, NodeRole::Worker) => return End::Demoted,
            () = stop.cancelled() => return End::Stopped,
        };
        self.duty.send_replace(Duty::Manager(office.handle()));
        self.local.send_replace(Some(office.local.clone()));
        let end = tokio::select! {
            failure = office.manager.failure() => End::Failed(failure),
            () = office.manager.removed() => End::Removed,
            () = until_role(identity, NodeRole::Worker) => End::Demoted,
            () = stop.cancelled() => End::Stopped,
            never = office.keeper.run() => match never {},
        };
        self.local.send_replace(None);
        self.duty.send_replace(Duty::Preparing(None));
        office.close().await;
        end
    }

    /// Tries until it succeeds.
    async fn open_office(&mut self) -> Office {
        let mut pause = PAUSE_MIN;
        loop {
            match Office::open(self).await {
                Ok(office) => return office,
                Err(error) => {
                    warn!("taking up the post of a manager: {error:#}");
                    self.duty.send_replace(Duty::Preparing(Some(format!("{error:#}"))));
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Forgets what only a manager keeps: the log, and the keys it is sealed with.
    fn forget(&mut self) {
        self.opening = Opening::Usual;
        (self.participation.raft_id, self.participation.joining) = (0, false);
        if let Err(error) = self.try_to_forget() {
            warn!("forgetting what only a manager keeps: {error:#}");
        }
    }

    fn try_to_forget(&self) -> Result<()> {
        self.files.take_part(&self.participation)?;
        self.files.forget_log()?;
        Ok(self.credentials.edit_key_file(|file, _| LogKeys::remove(file))?)
    }
}

/// Ends when the certificate is for this role.
async fn until_role(identity: &mut watch::Receiver<Arc<Identity>>, role: NodeRole) {
    if identity.wait_for(|identity| identity.subject.role() == Some(role)).await.is_err() {
        std::future::pending::<()>().await; // The credentials have gone: no role will come any more.
    }
}
