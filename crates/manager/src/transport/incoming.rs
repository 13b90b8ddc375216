//! Takes in messages of other managers, if they are for this replica and from one that may still speak.
//!
//! In: what a call brought. Out: an order to the replica, or a refusal that stock managers understand. Most of what
//! is not wanted is dropped in silence, as stock managers do.

use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use model::Duration;
use raft::{Ballot, Body, Message, ReplicaId};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use wire::channel::{MANAGER_NAME, connect};
use wire::ours::Heard;
use wire::proto::HealthCheckRequest;
use wire::proto::StreamRaftMessageRequest;
use wire::proto::health_check_response::ServingStatus;
use wire::proto::health_client::HealthClient;
use wire::{OnWire, raftpb};

use super::REMOVED;
use crate::manager::Group;
use crate::members::Members;

/// Takes in messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Which replica is here.
    pub id: ReplicaId,
    /// The way to it.
    pub group: Group,
    /// Who may speak, and where they are.
    pub members: watch::Receiver<Arc<Members>>,
    /// With what others are called back.
    pub tls: watch::Receiver<Arc<ClientConfig>>,
}

impl Incoming {
    /// Takes in one message.
    ///
    /// # Errors
    /// If the sender was removed from the group: the text is the signal for it to end.
    pub async fn hear(&self, wire: raftpb::Message) -> Result<(), Status> {
        let (to, from) = (wire.to, wire.from);
        if self.members.borrow().removed.contains(&from) {
            return Err(Status::not_found(REMOVED));
        }
        if to != self.id {
            tracing::debug!(to, from, "a message for another replica was dropped");
            return Ok(());
        }
        let message = match Message::from_wire(wire) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(from, %error, "a message that makes no sense here was dropped");
                return Ok(());
            }
        };
        if self.may_speak(&message).await {
            self.group.hear(message).await;
        }
        Ok(())
    }

    /// Takes in messages for as long as this manager is there, and tells how many.
    ///
    /// The stream ends with an error as [`Incoming::hear`] does.
    pub fn hear_all<S>(&self, messages: S) -> impl Stream<Item = Result<Heard, Status>> + Send + use<S>
    where
        S: Stream<Item = Result<raftpb::Message, Status>> + Send + 'static,
    {
        let (incoming, group) = (self.clone(), self.group.clone());
        let heard = messages.ready_chunks(BATCH_MAX).then(move |messages| {
            let incoming = incoming.clone();
            async move {
                let count = messages.len() as u64;
                for message in messages {
                    incoming.hear(message?).await?;
                }
                Ok(Heard { count })
            }
        });
        heard.take_until(async move { group.ended().await })
    }

    /// Takes in one message that may come in chunks.
    ///
    /// # Errors
    /// As [`Incoming::hear`]; or if the chunks are not of one snapshot, or together larger than any.
    pub async fn hear_stream<S>(&self, mut chunks: S) -> Result<(), Status>
    where
        S: Stream<Item = Result<StreamRaftMessageRequest, Status>> + Unpin,
    {
        let Some(first) = chunks.next().await else { return Ok(()) };
        let Some(mut whole) = first?.message else { return Ok(()) };
        while let Some(chunk) = chunks.next().await {
            append(&mut whole, chunk?.message.unwrap_or_default())?;
        }
        self.hear(whole).await
    }

    /// Whether to listen at all. A candidate must be known, and answer where it is said to be: one that nobody
    /// can reach would make a poor leader.
    async fn may_speak(&self, message: &Message) -> bool {
        let Body::Vote { ballot: Ballot::Real, .. } = message.body else { return true };
        let addr = self.members.borrow().present.get(&message.from).map(|member| member.addr.clone());
        match addr {
            Some(addr) => timeout(HEALTH_TIMEOUT, self.is_well(&addr)).await.is_ok_and(|well| well.is_ok()),
            None => false,
        }
    }

    /// Calls a manager back that wants to come, where it says that it lives.
    ///
    /// # Errors
    /// If it does not answer there, and why.
    pub(crate) async fn call_back(&self, addr: &str) -> Result<(), Status> {
        let late = |_| Status::deadline_exceeded("context deadline exceeded");
        timeout(CALL_BACK_TIMEOUT, self.is_well(addr)).await.map_err(late)?
    }

    /// Whether a manager answers at this address.
    async fn is_well(&self, addr: &str) -> Result<(), Status> {
        let tls = Arc::clone(&self.tls.borrow());
        let channel = connect(addr, MANAGER_NAME, tls).await.map_err(|error| unreachable(addr, &error))?;
        let request = HealthCheckRequest { service: "Raft".to_owned() };
        let answer = HealthClient::new(channel).check(request).await?;
        match answer.get_ref().status == i32::from(ServingStatus::Serving) {
            true => Ok(()),
            false => Err(Status::unavailable("the manager does not serve")),
        }
    }
}

/// That nobody answers, with the reason that the system gives.
fn unreachable(addr: &str, error: &dyn std::error::Error) -> Status {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    Status::unavailable(format!("connection error: dialing {addr}: {last}"))
}

/// Puts the next chunk of a snapshot behind what is there.
pub(super) fn append(whole: &mut raftpb::Message, chunk: raftpb::Message) -> Result<(), Status> {
    let is_next = chunk.r#type == i32::from(raftpb::MessageType::MsgSnap)
        && chunk.r#type == whole.r#type
        && chunk.index == whole.index;
    let (Some(snapshot), Some(more), true) = (&mut whole.snapshot, chunk.snapshot, is_next) else {
        return Err(Status::invalid_argument("the chunks are not of one snapshot"));
    };
    let data = snapshot.data.get_or_insert_default();
    data.extend(more.data.unwrap_or_default());
    if data.len() > SNAPSHOT_BYTES_MAX {
        return Err(Status::invalid_argument("the snapshot is too large"));
    }
    Ok(())
}

/// Messages that are taken in before that is said.
const BATCH_MAX: usize = 64;
/// How long a manager that wants to come may take to answer.
const CALL_BACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a candidate may take to answer.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// No book is that large: whoever sends more wants to fill this machine's memory.
const SNAPSHOT_BYTES_MAX: usize = 1 << 30;
