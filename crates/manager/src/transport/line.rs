//! The way to one manager, and what is known of it.
//!
//! In: messages for it, in order, and TLS settings that may change. Out: one lasting call that carries them all; to a
//! stock manager, or with a snapshot, a call for each message. The replica hears what was lost, everyone else who can be
//! reached.

use std::sync::Arc;

use raft::{Body, Message, ReplicaId, SnapshotOutcome};
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::channel::{MANAGER_NAME, connect_lazily};

use super::REMOVED;
use super::call;
use super::talk::Talk;
use crate::manager::Group;

/// The way to one manager.
#[derive(Debug)]
pub(super) struct Line {
    addr: String,
    group: Group,
    tls: watch::Receiver<Arc<ClientConfig>>,
}

impl Line {
    pub(super) fn new(addr: String, group: Group, tls: watch::Receiver<Arc<ClientConfig>>) -> Self {
        Self { addr, group, tls }
    }

    /// Carries messages until no more come. Whenever a call breaks, it begins anew with the next message.
    pub(super) async fn carry(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(first) = queue.recv().await {
            let to = first.to;
            let Err(status) = self.connected(first, &mut queue).await else { continue };
            tracing::debug!(to, addr = %self.addr, %status, "messages to another manager were lost");
            self.judge(&status);
            // What waits has become stale meanwhile, and a connection that was cut would take long to mend.
            while let Ok(message) = queue.try_recv() {
                Self::lost(&self.group, &message).await;
            }
        }
    }

    /// Carries messages over one connection, until it breaks or TLS settings change.
    async fn connected(&mut self, first: Message, queue: &mut mpsc::Receiver<Message>) -> Result<(), Status> {
        let tls = Arc::clone(&self.tls.borrow_and_update());
        let connected = connect_lazily(&self.addr, MANAGER_NAME, tls);
        let talk = match connected.map_err(|error| Status::unavailable(error.to_string())) {
            Ok(channel) => Talk::begin(channel.clone()).await.map(|talk| (channel, talk)),
            Err(status) => Err(status),
        };
        match talk {
            Ok((channel, Some(talk))) => self.talk(channel, talk, first, queue).await,
            Ok((channel, None)) => self.call(channel, first, queue).await,
            Err(status) => {
                Self::lost(&self.group, &first).await;
                Err(status)
            }
        }
    }

    /// Carries messages in a call for each, one after the other.
    async fn call(
        &mut self,
        channel: Channel,
        first: Message,
        queue: &mut mpsc::Receiver<Message>,
    ) -> Result<(), Status> {
        let mut next = Some(first);
        while let Some(message) = next {
            self.send(&channel, &message).await?;
            if self.tls.has_changed().unwrap_or(false) {
                return Ok(());
            }
            next = queue.recv().await;
        }
        Ok(())
    }

    /// Carries messages in a lasting call.
    async fn talk(
        &mut self,
        channel: Channel,
        mut talk: Talk,
        first: Message,
        queue: &mut mpsc::Receiver<Message>,
    ) -> Result<(), Status> {
        let to = first.to;
        let mut next = Some(first);
        let ended = loop {
            if let Some(message) = next.take() {
                let is_snapshot = matches!(message.body, Body::Snapshot(_));
                let sent = match is_snapshot {
                    true => self.send(&channel, &message).await,
                    false => talk.say(&message).await,
                };
                if let Err(status) = sent {
                    break Err(status);
                }
            }
            tokio::select! {
                biased;
                heard = talk.heard() => match heard {
                    Ok(()) => self.reached(to),
                    Err(status) => break Err(status),
                },
                message = queue.recv(), if talk.has_room() => match message {
                    Some(message) => next = Some(message),
                    None => return Ok(()),
                },
                // Whoever sets them may have ended; then they stay as they are.
                Ok(()) = self.tls.changed() => break Ok(()),
            }
        };
        if ended.is_err() {
            self.group.reachability().send_if_modified(|now| now.unreachable.insert(to));
        }
        if !talk.is_all_heard() {
            self.group.unreachable(to).await;
        }
        ended
    }

    /// Sends one message in a call of its own.
    async fn send(&self, channel: &Channel, message: &Message) -> Result<(), Status> {
        match call::send(channel.clone(), message).await {
            Ok(()) => {
                self.reached(message.to);
                if matches!(message.body, Body::Snapshot(_)) {
                    self.group.snapshot_sent(message.to, SnapshotOutcome::Delivered).await;
                }
                Ok(())
            }
            Err(status) => {
                Self::lost(&self.group, message).await;
                Err(status)
            }
        }
    }

    /// Looks whether the answer means that this manager is no longer wanted.
    fn judge(&self, status: &Status) {
        if status.code() == Code::NotFound && status.message().contains(REMOVED) {
            self.group.reachability().send_if_modified(|now| !std::mem::replace(&mut now.is_removed, true));
        }
    }

    fn reached(&self, to: ReplicaId) {
        self.group.reachability().send_if_modified(|now| now.unreachable.remove(&to));
    }

    /// Tells that a message found no way.
    pub(super) async fn lost(group: &Group, message: &Message) {
        group.reachability().send_if_modified(|now| now.unreachable.insert(message.to));
        match message.body {
            Body::Snapshot(_) => group.snapshot_sent(message.to, SnapshotOutcome::Failed).await,
            _ => group.unreachable(message.to).await,
        }
    }
}
