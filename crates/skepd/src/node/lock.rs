//! A manager's key as the swarm wants it sealed: kept so while it runs, and opened by a user when it starts again.
//!
//! In: the swarm's unlock key whenever it changes, and the words of users. Out: a key file that is sealed with it, or
//! not. When managers begin to be locked, the node gets another certificate and its log another key, since those that
//! were written down before may have been read (`security.md` section 11). What is cut off goes on at the next start.

use std::convert::Infallible;
use std::sync::Arc;

use agent::{CertificateError, Credentials};
use anyhow::{Context, Result, anyhow};
use api::ApiError;
use manager::keys::{self, KeysError, Lock, LogKeys};
use manager::{Group, Manager};
use model::node::NodeRole;
use model::{Chance, Duration};
use pki::{KeyFile, UnlockKey, Unusable};
use store::State;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::standing::Standing;

/// The pause after the key's file could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// What a user brings to unlock this node with.
///
/// # Errors
/// If it is not locked, or the text is no key.
pub(super) fn key_for(standing: &Standing, text: &str) -> Result<UnlockKey, ApiError> {
    if !matches!(standing, Standing::Locked(_)) {
        return Err(ApiError::conflict("swarm is not locked"));
    }
    text.parse().map_err(|_| ApiError::invalid("invalid key string"))
}

/// What a user is told whose key does not fit.
pub(super) fn wrong_key() -> ApiError {
    ApiError::new(401, "swarm could not be unlocked: invalid key provided")
}

/// Whether a membership did not come about because this node's key is sealed.
pub(super) fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CertificateError::Unusable(Unusable::Locked)))
}

/// Keeps the key of a manager sealed as the swarm wants it.
pub(super) struct Keeper {
    credentials: Arc<Credentials>,
    book: watch::Receiver<Arc<State>>,
    group: Group,
    chance: Chance,
}

impl Keeper {
    /// The keeper of this manager's key.
    pub(super) fn new(credentials: &Arc<Credentials>, manager: &Manager, chance: Chance) -> Self {
        let (credentials, group) = (Arc::clone(credentials), manager.group().clone());
        Self { credentials, book: manager.book().watch(), group, chance }
    }

    /// Keeps it for as long as it is let.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut kept = None;
        loop {
            let wanted = self.wanted();
            if wanted != kept {
                if let Err(error) = self.keep(wanted.as_ref()).await {
                    warn!("sealing the manager's key as the swarm wants it: {error:#}");
                    tokio::time::sleep(RETRY_PAUSE).await;
                    continue;
                }
                kept = wanted;
            }
            if self.book.changed().await.is_err() {
                return std::future::pending().await; // The manager has ended, and its office notices.
            }
        }
    }

    /// What the swarm wants now.
    fn wanted(&mut self) -> Option<Lock> {
        let state = Arc::clone(&self.book.borrow_and_update());
        match Lock::of(state.cluster()?) {
            Ok(lock) => Some(lock),
            Err(error) => {
                warn!("the swarm's unlock key is none: {error}");
                None
            }
        }
    }

    async fn keep(&mut self, wanted: Option<&Lock>) -> Result<()> {
        let Some(lock) = wanted else { return Ok(()) };
        if !self.credentials.identity().subject.has(NodeRole::Manager) {
            return Ok(()); // Soon a worker: its key is not for managers to seal.
        }
        self.edit(|file, held, chance| {
            let before = held.clone();
            keys::follow(lock, file, held, chance)?;
            Ok(before != *held)
        })?
        .then(|| info!(locked = lock.key.is_some(), "the manager's key is sealed as the swarm wants it"));
        if keys::wants_new_key(&self.credentials.key_file()?) { self.renew_keys().await } else { Ok(()) }
    }

    /// Gives the log another key, and the node another certificate.
    async fn renew_keys(&mut self) -> Result<()> {
        let before = self.credentials.identity().certificate().clone();
        let keys = self.edit(|file, held, chance| keys::begin_rotation(file, held.as_ref(), chance))?;
        if !self.rotate(keys).await {
            return Err(anyhow!("the manager has ended before its log had another key"));
        }
        let mut identity = self.credentials.subscribe();
        self.credentials.wish_renewal();
        let renewed = identity.wait_for(|identity| *identity.certificate() != before).await;
        renewed.context("the credentials of this node are gone")?;
        self.edit(|file, held, chance| keys::finish_rotation(file, held.as_ref(), chance))?;
        info!("the manager's log has another key, and the node another certificate");
        Ok(())
    }

    async fn rotate(&self, keys: Option<LogKeys>) -> bool {
        match keys {
            Some(keys) => self.group.rotate(keys.for_log()).await,
            None => true,
        }
    }

    fn edit<R>(
        &mut self,
        edit: impl FnOnce(&mut KeyFile, &mut Option<UnlockKey>, &mut Chance) -> Result<R, KeysError>,
    ) -> Result<R> {
        let chance = &mut self.chance;
        Ok(self.credentials.edit_key_file(|file, held| edit(file, held, chance))??)
    }
}
