//! Reads what tasks write, wherever they run and whichever manager leads.
//!
//! In: whose lines are wanted, and which. Out: lines, as the nodes bring them to the leader, and in the end why some
//! are missing.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use model::{Refusal, RefusalKind};
use tonic::{Status, Streaming};
use wire::proto::logs_client::LogsClient;
use wire::{proto, refusal_of, status_of};

use super::{Book, LogBroker, LogSelector, LogSubscription};
use crate::ask::Ask;
use crate::replica::Leadership;
use crate::route::{Place, Route};

/// The way to what tasks write. Clones share it.
#[derive(Clone, Debug)]
pub struct LogReader {
    broker: LogBroker,
    book: Book,
    route: Arc<Route>,
}

/// A subscription that is being read. Dropping it ends it.
pub struct LogReading {
    source: Source,
    /// Ends when the leader is no more where it was: nodes then bring their lines to another one.
    lost: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

/// From where lines come.
#[derive(Debug)]
enum Source {
    /// This manager's own broker.
    Here(LogSubscription),
    /// The broker of the manager that leads.
    There(Box<Streaming<proto::SubscribeLogsMessage>>),
}

impl LogReader {
    /// A way by this manager's broker while it leads, else by the leader's.
    pub fn new(broker: LogBroker, ask: &Ask, book: Book) -> Self {
        Self { broker, book, route: Arc::new(ask.route().clone()) }
    }

    /// Begins to read what the selected tasks write. Without `follow` it ends, when every node that can be asked has
    /// said that it has no more.
    ///
    /// # Errors
    /// If nothing is selected, or nobody leads.
    pub async fn read(
        &self,
        selector: LogSelector,
        options: proto::LogSubscriptionOptions,
    ) -> Result<LogReading, Refusal> {
        let (place, source) = match self.route.find().await? {
            Place::Here => {
                let subscription = self.broker.subscribe(&self.book, selector, options);
                (Leadership::Here, subscription.map(Source::Here))
            }
            Place::There(there) => {
                let request =
                    proto::SubscribeLogsRequest { selector: Some(selector), options: Some(options) };
                let answered = LogsClient::new(there.channel).subscribe_logs(request).await;
                let lines = answered.map(|answer| Source::There(Box::new(answer.into_inner())));
                (Leadership::There(there.leader), lines)
            }
        };
        let source = source.map_err(|status| refusal_of(&status))?;
        let route = Arc::clone(&self.route);
        let lost = Box::pin(async move { route.left(place).await });
        Ok(LogReading { source, lost, is_over: false })
    }
}

impl LogReading {
    /// The next lines; `None` when there are no more. Nothing is lost if this is not awaited to its end.
    ///
    /// # Errors
    /// Last of all: why not everything that was selected could be read, in gRPC's words.
    pub async fn next(&mut self) -> Option<Result<Vec<proto::LogMessage>, String>> {
        if self.is_over {
            return None;
        }
        let next = tokio::select! {
            biased;
            next = self.source.next() => next,
            () = &mut self.lost => Some(Err(leader_lost())),
        };
        self.is_over = !matches!(next, Some(Ok(_)));
        let words =
            |status: Status| format!("rpc error: code = {:?} desc = {}", status.code(), status.message());
        next.map(|next| next.map_err(words))
    }
}

impl fmt::Debug for LogReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReading").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Source {
    async fn next(&mut self) -> Option<Result<Vec<proto::LogMessage>, Status>> {
        match self {
            Self::Here(subscription) => subscription.next().await,
            Self::There(lines) => lines.message().await.map(|lines| Some(lines?.messages)).transpose(),
        }
    }
}

fn leader_lost() -> Status {
    status_of(&Refusal::new(RefusalKind::Unavailable, "the leader was lost before all was read; read again"))
}
