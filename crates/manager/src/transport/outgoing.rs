//! Carries messages to other managers: one queue and one connection for each of them, in order.
//!
//! In: messages, the address book, TLS settings that may change. Out: for each message one call, a large snapshot in
//! chunks; to the replica the news of what was lost; to everyone else who can be reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Duration;
use raft::{Body, Message, ReplicaId, SnapshotOutcome};
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::channel::{MANAGER_NAME, connect_lazily};
use wire::proto::raft_client::RaftClient;
use wire::proto::{ProcessRaftMessageRequest, StreamRaftMessageRequest};
use wire::{OnWire, raftpb};

use super::REMOVED;
use crate::manager::Group;
use crate::members::Members;

/// Messages that may wait for one manager; those beyond are lost.
const QUEUE_LENGTH: usize = 4_096;
/// How long one message, or one chunk of a snapshot, may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a snapshot in one chunk: stock managers take four mebibytes with everything around it.
const CHUNK_BYTES: usize = (4 << 20) - (64 << 10);

/// Carries messages. Made before the manager, since that needs its sender.
#[derive(Debug)]
pub struct Outgoing {
    messages: mpsc::Receiver<Message>,
    tls: watch::Receiver<Arc<ClientConfig>>,
}

/// What all lines share.
#[derive(Clone, Debug)]
struct Shared {
    group: Group,
    tls: watch::Receiver<Arc<ClientConfig>>,
}

/// The way to one manager.
#[derive(Debug)]
struct Line {
    addr: String,
    queue: mpsc::Sender<Message>,
}

impl Outgoing {
    /// A carrier, and the sender for [`crate::ManagerConfig`].
    pub fn new(tls: watch::Receiver<Arc<ClientConfig>>) -> (Self, mpsc::Sender<Message>) {
        let (sender, messages) = mpsc::channel(QUEUE_LENGTH);
        (Self { messages, tls }, sender)
    }

    /// Runs until told to stop. Lines to managers that left, or moved, end with what waits in them.
    pub async fn run(self, group: Group, members: watch::Receiver<Arc<Members>>, stop: CancellationToken) {
        let Self { mut messages, tls } = self;
        let shared = Shared { group, tls };
        let mut lines: BTreeMap<ReplicaId, Line> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ended) = tasks.join_next() => if ended.is_err() {
                    tracing::error!("a line to another manager has panicked");
                },
                message = messages.recv() => {
                    let Some(message) = message else { return };
                    let known = Arc::clone(&members.borrow());
                    lines.retain(|id, line| known.present.get(id).is_some_and(|there| there.addr == line.addr));
                    shared.route(message, &known, &mut lines, &mut tasks).await;
                }
            }
        }
    }
}

impl Shared {
    /// Puts a message into the queue of whom it is for.
    async fn route(
        &self,
        message: Message,
        members: &Members,
        lines: &mut BTreeMap<ReplicaId, Line>,
        tasks: &mut JoinSet<()>,
    ) {
        let Some(there) = members.present.get(&message.to) else { return self.lost(&message).await };
        let line = lines.entry(message.to).or_insert_with(|| {
            let (queue, queued) = mpsc::channel(QUEUE_LENGTH);
            tasks.spawn(self.clone().carry(there.addr.clone(), queued));
            Line { addr: there.addr.clone(), queue }
        });
        if let Err(refused) = line.queue.try_send(message) {
            self.lost(&refused.into_inner()).await;
        }
    }

    /// Carries the messages for one manager, one after the other.
    async fn carry(mut self, addr: String, mut queue: mpsc::Receiver<Message>) {
        let mut channel = None;
        while let Some(message) = queue.recv().await {
            if channel.is_none() || self.tls.has_changed().unwrap_or(false) {
                channel = self.connect(&addr);
            }
            let sent = match &channel {
                Some(channel) => send(channel.clone(), &message).await,
                None => Err(Status::unavailable("the address is none")),
            };
            match sent {
                Ok(()) => self.delivered(&message).await,
                Err(status) => {
                    tracing::debug!(to = message.to, %addr, %status, "a message to another manager was lost");
                    self.judge(&status);
                    self.lost(&message).await;
                    // What waits has become stale meanwhile, and a connection that was cut would take long to mend.
                    while let Ok(message) = queue.try_recv() {
                        self.lost(&message).await;
                    }
                    channel = None;
                }
            }
        }
    }

    fn connect(&mut self, addr: &str) -> Option<Channel> {
        let tls = Arc::clone(&self.tls.borrow_and_update());
        connect_lazily(addr, MANAGER_NAME, tls).inspect_err(|error| tracing::warn!(addr, %error)).ok()
    }

    /// Looks whether the answer means that this manager is no longer wanted.
    fn judge(&self, status: &Status) {
        if status.code() == Code::NotFound && status.message().contains(REMOVED) {
            self.group.reachability().send_if_modified(|now| !std::mem::replace(&mut now.is_removed, true));
        }
    }

    async fn delivered(&self, message: &Message) {
        self.group.reachability().send_if_modified(|now| now.unreachable.remove(&message.to));
        if matches!(message.body, Body::Snapshot(_)) {
            self.group.snapshot_sent(message.to, SnapshotOutcome::Delivered).await;
        }
    }

    async fn lost(&self, message: &Message) {
        self.group.reachability().send_if_modified(|now| now.unreachable.insert(message.to));
        match message.body {
            Body::Snapshot(_) => self.group.snapshot_sent(message.to, SnapshotOutcome::Failed).await,
            _ => self.group.unreachable(message.to).await,
        }
    }
}

/// Sends one message in a call of its own, as stock managers do.
async fn send(channel: Channel, message: &Message) -> Result<(), Status> {
    let mut client = RaftClient::new(channel);
    let chunks = chunks(message.to_wire());
    let patience = SEND_TIMEOUT * u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let late = |_| Status::deadline_exceeded("the other manager did not take the message in time");
    let requests: Vec<_> =
        chunks.iter().cloned().map(|message| StreamRaftMessageRequest { message: Some(message) }).collect();
    let streamed = client.stream_raft_message(futures_util::stream::iter(requests));
    match (timeout(patience, streamed).await.map_err(late)?, chunks.as_slice()) {
        (Ok(_), _) => Ok(()),
        (Err(status), [whole]) if status.code() == Code::Unimplemented => {
            let request = ProcessRaftMessageRequest { message: Some(whole.clone()) };
            timeout(patience, client.process_raft_message(request)).await.map_err(late)?.map(|_| ())
        }
        (Err(status), _) => Err(status),
    }
}

/// A message in pieces that a manager takes: each is the whole message, with a part of its snapshot.
pub(super) fn chunks(message: raftpb::Message) -> Vec<raftpb::Message> {
    let data = message.snapshot.as_ref().and_then(|snapshot| snapshot.data.as_deref()).unwrap_or_default();
    if data.len() <= CHUNK_BYTES {
        return vec![message];
    }
    let with = |part: &[u8]| {
        let snapshot = message.snapshot.as_ref().map(|snapshot| raftpb::Snapshot {
            data: Some(part.to_vec()),
            metadata: snapshot.metadata.clone(),
        });
        raftpb::Message { snapshot, ..bare(&message) }
    };
    data.chunks(CHUNK_BYTES).map(with).collect()
}

/// The message without its snapshot, which may be large.
fn bare(message: &raftpb::Message) -> raftpb::Message {
    let raftpb::Message {
        r#type,
        to,
        from,
        term,
        log_term,
        index,
        entries,
        commit,
        snapshot: _,
        reject,
        reject_hint,
        context,
        vote,
        responses,
    } = message;
    raftpb::Message {
        r#type: *r#type,
        to: *to,
        from: *from,
        term: *term,
        log_term: *log_term,
        index: *index,
        entries: entries.clone(),
        commit: *commit,
        snapshot: None,
        reject: *reject,
        reject_hint: *reject_hint,
        context: context.clone(),
        vote: *vote,
        responses: responses.clone(),
    }
}
