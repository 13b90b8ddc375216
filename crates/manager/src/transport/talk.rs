//! One lasting call to a manager, which carries messages there and brings back how many were heard.
//!
//! In: messages. Out: that more were heard; or that the call broke, or that something was not heard in time.

use std::collections::VecDeque;

use futures_util::stream;
use raft::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use wire::ours::Heard;
use wire::ours::line_client::LineClient;
use wire::{OnWire, raftpb};

use super::call::{self, SEND_TIMEOUT};

/// Messages of which the other has not said yet that it heard them.
const UNHEARD_MAX: usize = 1_024;

/// A lasting call.
pub(super) struct Talk {
    say: mpsc::Sender<raftpb::Message>,
    hear: Streaming<Heard>,
    /// When what the other has not heard yet was said, the oldest first.
    unheard: VecDeque<Instant>,
}

impl Talk {
    /// Begins one; there is none to managers that do not know it.
    pub(super) async fn begin(channel: Channel) -> Result<Option<Self>, Status> {
        let (say, said) = mpsc::channel(UNHEARD_MAX);
        let words =
            stream::unfold(said, async |mut said: mpsc::Receiver<_>| Some((said.recv().await?, said)));
        let mut client = LineClient::new(channel);
        match timeout(SEND_TIMEOUT, client.carry(words)).await.map_err(call::late)? {
            Ok(response) => Ok(Some(Self { say, hear: response.into_inner(), unheard: VecDeque::new() })),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_all_heard(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Whether more may be said before the other says that it heard.
    pub(super) fn has_room(&self) -> bool {
        self.unheard.len() < UNHEARD_MAX
    }

    /// Says something; it may be lost until it was heard.
    pub(super) async fn say(&mut self, message: &Message) -> Result<(), Status> {
        self.unheard.push_back(Instant::now());
        let ended = |_| Status::unavailable("the connection has ended");
        self.say.send(message.to_wire()).await.map_err(ended)
    }

    /// Waits until the other has heard more. May be given up and begun again at any time.
    pub(super) async fn heard(&mut self) -> Result<(), Status> {
        let oldest = self.unheard.front().copied();
        let overdue = async {
            match oldest {
                Some(said) => sleep_until(said + SEND_TIMEOUT).await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            heard = self.hear.message() => heard?,
            () = overdue => return Err(call::late(())),
        };
        let heard = heard.ok_or_else(|| Status::unavailable("the other manager has ended"))?;
        let count = usize::try_from(heard.count).unwrap_or(usize::MAX).min(self.unheard.len());
        self.unheard.drain(..count);
        Ok(())
    }
}
