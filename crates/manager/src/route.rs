//! Where the leader is, and the way to it.
//!
//! In: who leads, who is in the group, with what others are called. Out: here, or a channel to the manager that
//! leads. A moment without a leader is normal and waited for; more is not.

use std::sync::{Arc, Mutex, PoisonError};

use host::clock;
use model::{Duration, Refusal};
use raft::ReplicaId;
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tonic::transport::Channel;
use wire::channel::{MANAGER_NAME, connect_lazily};

use crate::members::Members;
use crate::replica::Leadership;

/// The way to the leader. Clones share one connection.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    leadership: watch::Receiver<Leadership>,
    members: watch::Receiver<Arc<Members>>,
    tls: watch::Receiver<Arc<ClientConfig>>,
    /// How long nobody may lead before it is said so.
    patience: Duration,
    /// A lock and no channel: it is never held longer than one look.
    line: Arc<Mutex<Option<Line>>>,
}

/// Where the leader is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On this manager.
    Here,
    /// On another one.
    There(Elsewhere),
}

/// A leader on another manager.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    /// Which replica it is.
    pub(crate) leader: ReplicaId,
    /// The way to it.
    pub(crate) channel: Channel,
}

/// A connection that is kept for the next call.
#[derive(Debug)]
struct Line {
    addr: String,
    tls: Arc<ClientConfig>,
    channel: Channel,
}

impl Route {
    /// A way that follows these three. Nobody may lead for as long as `patience` before it is said so.
    pub(crate) fn new(
        leadership: watch::Receiver<Leadership>,
        members: watch::Receiver<Arc<Members>>,
        tls: watch::Receiver<Arc<ClientConfig>>,
        patience: Duration,
    ) -> Self {
        Self { leadership, members, tls, patience, line: Arc::default() }
    }

    /// Who leads, now and whenever it changes.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Finds the leader.
    ///
    /// # Errors
    /// If there is none, and has not been for too long.
    pub(crate) async fn find(&self) -> Result<Place, Refusal> {
        let mut leadership = self.leadership.clone();
        let mut members = self.members.clone();
        let asked = clock::now();
        loop {
            members.mark_unchanged();
            let since = match *leadership.borrow_and_update() {
                Leadership::Here => return Ok(Place::Here),
                Leadership::There(leader) => match self.channel_to(leader) {
                    Some(channel) => return Ok(Place::There(Elsewhere { leader, channel })),
                    // One that has just started may not have been told yet where the leader is.
                    None => asked,
                },
                Leadership::Nobody(since) => since,
            };
            let changed = async {
                tokio::select! {
                    changed = leadership.changed() => changed,
                    changed = members.changed() => changed,
                }
            };
            match timeout_at(clock::deadline(since + self.patience), changed).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Refusal::no_leader()),
            }
        }
    }

    /// Waits until somebody leads.
    ///
    /// # Errors
    /// As [`Route::find`].
    pub(crate) async fn until_led(&self) -> Result<(), Refusal> {
        let mut leadership = self.leadership.clone();
        loop {
            let Leadership::Nobody(since) = *leadership.borrow_and_update() else { return Ok(()) };
            match timeout_at(clock::deadline(since + self.patience), leadership.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Refusal::no_leader()),
            }
        }
    }

    /// Says whether anybody leads, without waiting.
    ///
    /// # Errors
    /// As [`Route::find`].
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match *self.leadership.borrow() {
            Leadership::Nobody(since) if clock::now() > since + self.patience => Err(Refusal::no_leader()),
            Leadership::Nobody(_) | Leadership::Here | Leadership::There(_) => Ok(()),
        }
    }

    /// Ends when this replica leads no more, as far as is known here.
    pub(crate) async fn lost(&self, leader: ReplicaId) {
        self.left(Leadership::There(leader)).await;
    }

    /// Ends when the leader is not there any more, as far as is known here.
    pub(crate) async fn left(&self, place: Leadership) {
        let mut leadership = self.leadership.clone();
        // If nobody says any more who leads, this manager is at its end.
        let _ = leadership.wait_for(|now| *now != place).await;
    }

    /// The connection to a member; a new one if it has moved or this node has another certificate.
    fn channel_to(&self, member: ReplicaId) -> Option<Channel> {
        let addr = self.members.borrow().present.get(&member)?.addr.clone();
        let tls = Arc::clone(&self.tls.borrow());
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line.as_ref().filter(|line| line.addr == addr && Arc::ptr_eq(&line.tls, &tls)) {
            return Some(line.channel.clone());
        }
        let channel = connect_lazily(&addr, MANAGER_NAME, Arc::clone(&tls));
        let channel = channel.inspect_err(|error| tracing::warn!(addr, %error)).ok()?;
        *line = Some(Line { addr, tls, channel: channel.clone() });
        Some(channel)
    }
}
