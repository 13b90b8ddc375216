//! Answers managers who want to read what tasks of this node write.
//!
//! In: subscriptions, each with a selector. Out: for each, one stream of lines of all the tasks it selects,
//! ended by a word that there is no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Task, TaskState, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::proto::log_broker_client::LogBrokerClient;
use wire::{OnWire, proto};

use crate::Tasks;
use crate::executor::Executor;

/// Lines that wait to be sent: a container that writes more has to wait.
const LINES_MAX: usize = 256;
/// Lines in one message.
const BATCH_MAX: usize = 64;

/// Which of a container's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// One line, or a part of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// Where.
    pub stream: LogStream,
    /// What, with its line feed if it has one.
    pub data: Vec<u8>,
    /// More that the reader may want to know, such as labels.
    pub attrs: BTreeMap<String, String>,
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogWish {
    /// Only of these outputs; empty means both.
    pub streams: Vec<LogStream>,
    /// Whether those that are yet to be written are wanted too.
    pub follow: bool,
    /// Only so many of the latest; absent means all.
    pub tail: Option<u64>,
    /// Only those written since.
    pub since: Option<Timestamp>,
}

impl LogWish {
    fn from_wire(options: proto::LogSubscriptionOptions) -> Result<Self, wire::Malformed> {
        let proto::LogSubscriptionOptions { streams, follow, tail, since } = options;
        let stream = |number: i32| match proto::LogStream::try_from(number) {
            Ok(proto::LogStream::Stdout) => Some(LogStream::Stdout),
            Ok(proto::LogStream::Stderr) => Some(LogStream::Stderr),
            Ok(proto::LogStream::Unknown) | Err(_) => None,
        };
        Ok(Self {
            streams: streams.into_iter().filter_map(stream).collect(),
            follow,
            // On the wire, -1 means none, -2 the last one and so on; 0 means all.
            tail: (tail < 0).then(|| tail.unsigned_abs() - 1),
            since: OnWire::from_wire(since)?,
        })
    }
}

/// What answers subscriptions: the executor, and the tasks as the worker has them.
#[derive(Debug)]
pub(crate) struct Readers<E> {
    pub(crate) executor: Arc<E>,
    pub(crate) tasks: watch::Receiver<Tasks>,
}

impl<E> Clone for Readers<E> {
    fn clone(&self) -> Self {
        Self { executor: Arc::clone(&self.executor), tasks: self.tasks.clone() }
    }
}

impl<E: Executor> Readers<E> {
    /// Answers subscriptions as long as the conversation lasts; ends with why it cannot.
    pub(crate) async fn answer(&self, channel: Channel) -> Status {
        let mut broker = LogBrokerClient::new(channel);
        let mut wishes = match broker.listen_subscriptions(proto::ListenSubscriptionsRequest {}).await {
            Ok(response) => response.into_inner(),
            Err(status) if status.code() == Code::Unimplemented => return std::future::pending().await,
            Err(status) => return status,
        };
        let mut answering = JoinSet::new();
        let mut handles: BTreeMap<String, AbortHandle> = BTreeMap::new();
        loop {
            let wish = match wishes.message().await {
                Ok(Some(wish)) => wish,
                Ok(None) => return Status::unavailable("the manager ended the subscriptions"),
                Err(status) => return status,
            };
            while answering.try_join_next().is_some() {}
            handles.retain(|_, handle| !handle.is_finished());
            if wish.close {
                if let Some(handle) = handles.remove(&wish.id) {
                    handle.abort();
                }
            } else {
                let id = wish.id.clone();
                handles.insert(id, answering.spawn(self.clone().publish(broker.clone(), wish)));
            }
        }
    }

    /// Sends the lines of all selected tasks, and that there are no more.
    async fn publish(self, mut broker: LogBrokerClient<Channel>, wish: proto::SubscriptionMessage) {
        let proto::SubscriptionMessage { id, selector, options, close: _ } = wish;
        let Ok(wish) = LogWish::from_wire(options.unwrap_or_default()) else { return };
        let (messages, outgoing) = mpsc::channel(LINES_MAX);
        let reading = async {
            self.read_all(&selector.unwrap_or_default(), &wish, (&id, &messages)).await;
            let end =
                proto::PublishLogsMessage { subscription_id: id.clone(), close: true, ..Default::default() };
            // If nobody receives, nobody misses it.
            let _ = messages.send(end).await;
            drop(messages);
        };
        let (sent, ()) = tokio::join!(broker.publish_logs(ReceiverStream::new(outgoing)), reading);
        if let Err(status) = sent {
            tracing::debug!(%status, "a reader of logs went away");
        }
    }

    /// Reads all selected tasks side by side; when following, also those that come later.
    async fn read_all(
        mut self,
        selector: &proto::LogSelector,
        wish: &LogWish,
        (subscription, messages): (&str, &mpsc::Sender<proto::PublishLogsMessage>),
    ) {
        let mut known = BTreeSet::new();
        let mut reading = JoinSet::new();
        loop {
            let tasks = self.tasks.borrow_and_update().clone();
            for task in tasks.into_values().filter(|task| selects(selector, task)) {
                if known.insert(task.id) {
                    let (executor, wish) = (Arc::clone(&self.executor), wish.clone());
                    let output = Output { subscription: subscription.to_owned(), messages: messages.clone() };
                    reading.spawn(async move { read(&*executor, &task, &wish, output).await });
                }
            }
            if reading.is_empty() && !wish.follow {
                return;
            }
            tokio::select! {
                Ok(()) = self.tasks.changed(), if wish.follow => {}
                Some(_) = reading.join_next() => {}
                () = messages.closed() => return,
            }
        }
    }
}

/// Where lines go.
struct Output {
    subscription: String,
    messages: mpsc::Sender<proto::PublishLogsMessage>,
}

/// Reads what one task writes, and puts it into messages.
async fn read<E: Executor>(executor: &E, task: &Task, wish: &LogWish, output: Output) {
    let (lines, mut incoming) = mpsc::channel(LINES_MAX);
    let sending = async {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while incoming.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let message = proto::PublishLogsMessage {
                subscription_id: output.subscription.clone(),
                messages: batch.drain(..).map(|line| message(task, line)).collect(),
                close: false,
            };
            if output.messages.send(message).await.is_err() {
                return;
            }
        }
    };
    let (read, ()) = tokio::join!(executor.logs(task, wish, lines), sending);
    if let Err(failure) = read {
        tracing::debug!(task = %task.id, why = failure.message, "output could not be read");
    }
}

fn message(task: &Task, line: LogLine) -> proto::LogMessage {
    let LogLine { at, stream, data, attrs } = line;
    let stream = match stream {
        LogStream::Stdout => proto::LogStream::Stdout,
        LogStream::Stderr => proto::LogStream::Stderr,
    };
    proto::LogMessage {
        context: Some(proto::LogContext {
            service_id: task.service_id.to_wire(),
            node_id: task.node_id.to_wire(),
            task_id: task.id.to_wire(),
        }),
        timestamp: Some(at.to_wire()),
        stream: stream.into(),
        data,
        attrs: attrs.into_iter().map(|(key, value)| proto::LogAttr { key, value }).collect(),
    }
}

/// A task is selected by its service, its node or its own id. One that never ran has written nothing, and one that only
/// begins to would be read to an end that it has not reached yet.
fn selects(selector: &proto::LogSelector, task: &Task) -> bool {
    let proto::LogSelector { service_ids, node_ids, task_ids } = selector;
    let named = |ids: &[String], id: Option<&str>| id.is_some_and(|id| ids.iter().any(|other| other == id));
    task.status.state >= TaskState::Running
        && (named(task_ids, Some(task.id.as_str()))
            || named(service_ids, task.service_id.as_ref().map(|id| id.as_str()))
            || named(node_ids, task.node_id.as_ref().map(|id| id.as_str())))
}
