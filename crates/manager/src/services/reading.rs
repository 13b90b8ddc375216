//! Reads what tasks write, wherever they run.
//!
//! In: whose lines are wanted, and which. Out: lines, as the nodes bring them, and in the end why some are missing.

use model::Refusal;
use wire::{proto, refusal_of};

use super::{Book, LogBroker, LogSelector, LogSubscription};

/// The way to what tasks write. Clones share it.
#[derive(Clone, Debug)]
pub struct LogReader {
    broker: LogBroker,
    book: Book,
}

/// A subscription that is being read. Dropping it ends it.
#[derive(Debug)]
pub struct LogReading(LogSubscription);

impl LogReader {
    /// A way by the broker that nodes bring their lines to.
    pub fn new(broker: LogBroker, book: Book) -> Self {
        Self { broker, book }
    }

    /// Begins to read what the selected tasks write. Without `follow` it ends, when every node that can be asked has
    /// said that it has no more.
    ///
    /// # Errors
    /// If nothing is selected.
    pub async fn read(
        &self,
        selector: LogSelector,
        options: proto::LogSubscriptionOptions,
    ) -> Result<LogReading, Refusal> {
        let subscription = self.broker.subscribe(&self.book, selector, options);
        subscription.map(LogReading).map_err(|status| refusal_of(&status))
    }
}

impl LogReading {
    /// The next lines; `None` when there are no more. Nothing is lost if this is not awaited to its end.
    ///
    /// # Errors
    /// Last of all: why not everything that was selected could be read, in gRPC's words.
    pub async fn next(&mut self) -> Option<Result<Vec<proto::LogMessage>, String>> {
        let next = self.0.next().await?;
        Some(
            next.map_err(|status| {
                format!("rpc error: code = {:?} desc = {}", status.code(), status.message())
            }),
        )
    }
}
