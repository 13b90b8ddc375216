//! Carries messages to other managers: one queue and one line for each of them, in order.
//!
//! In: messages, the address book. Out: each message on the line to whom it is for; of those that have no way, the
//! replica is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::{Message, ReplicaId};
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use crate::manager::Group;
use crate::members::Members;

/// Messages that may wait for one manager; those beyond are lost.
const QUEUE_LENGTH: usize = 4_096;

/// Carries messages. Made before the manager, since that needs its sender.
#[derive(Debug)]
pub struct Outgoing {
    messages: mpsc::Receiver<Message>,
    tls: watch::Receiver<Arc<ClientConfig>>,
}

/// The queue of one manager.
#[derive(Debug)]
struct Queue {
    addr: String,
    messages: mpsc::Sender<Message>,
}

impl Outgoing {
    /// A carrier, and the sender for [`crate::ManagerConfig`].
    pub fn new(tls: watch::Receiver<Arc<ClientConfig>>) -> (Self, mpsc::Sender<Message>) {
        let (sender, messages) = mpsc::channel(QUEUE_LENGTH);
        (Self { messages, tls }, sender)
    }

    /// Runs until told to stop. Lines to managers that left, or moved, end with what waits for them.
    pub async fn run(self, group: Group, members: watch::Receiver<Arc<Members>>, stop: CancellationToken) {
        let Self { mut messages, tls } = self;
        let mut queues: BTreeMap<ReplicaId, Queue> = BTreeMap::new();
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
                    queues.retain(|id, queue| known.present.get(id).is_some_and(|there| there.addr == queue.addr));
                    let Some(there) = known.present.get(&message.to) else {
                        Line::lost(&group, &message).await;
                        continue;
                    };
                    let queue = queues.entry(message.to).or_insert_with(|| {
                        let (sender, queued) = mpsc::channel(QUEUE_LENGTH);
                        let line = Line::new(there.addr.clone(), group.clone(), tls.clone());
                        tasks.spawn(line.carry(queued));
                        Queue { addr: there.addr.clone(), messages: sender }
                    });
                    if let Err(refused) = queue.messages.try_send(message) {
                        Line::lost(&group, &refused.into_inner()).await;
                    }
                }
            }
        }
    }
}
