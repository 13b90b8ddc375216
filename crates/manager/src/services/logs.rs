//! Brings what tasks write to whoever wants to read it (`control.md` section 15).
//!
//! In: subscriptions of readers, and lines that nodes publish. Out: each node is told of the subscriptions that
//! concern its tasks; lines find their reader. Nothing is kept: a reader who is slow slows the nodes down, and
//! one who goes away is forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use model::node::NodeState;
use model::{NodeId, SessionId, Task, TaskState};
use store::State;
use tokio::sync::{mpsc, watch};
use tonic::{Request, Response, Status, Streaming};
use wire::proto;
use wire::proto::{log_broker_server, logs_server};

use super::Book;
use super::guard::{Guard, MANAGERS, NODES};

/// Messages that wait for a reader.
const MESSAGES_MAX: usize = 64;
/// What a warning begins with (`control.md` section 15).
const INCOMPLETE: &str =
    "warning: incomplete log stream. some logs could not be retrieved for the following reasons: ";

/// Names a subscription on the wire. It is drawn like other ids.
type SubscriptionId = SessionId;
type Subscriptions = BTreeMap<SubscriptionId, Arc<Wish>>;
type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// All who read. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LogBroker {
    subscriptions: Arc<watch::Sender<Subscriptions>>,
}

/// Whose lines are wanted: of these services, nodes or tasks.
pub type LogSelector = proto::LogSelector;

/// What a reader wants, and the nodes' end of it.
#[derive(Debug)]
struct Wish {
    selector: LogSelector,
    options: proto::LogSubscriptionOptions,
    parts: mpsc::Sender<Part>,
}

/// What a node brings.
#[derive(Debug)]
enum Part {
    Lines(Vec<proto::LogMessage>),
    /// This node has no more; or it was lost before it could say so.
    End(NodeId, Ending),
}

/// How a node's part of a subscription ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// All was brought.
    Whole,
    /// The node was lost.
    Torn,
}

/// A reader's end of a subscription. Dropping it ends the subscription.
#[derive(Debug)]
pub struct LogSubscription {
    id: SubscriptionId,
    broker: LogBroker,
    book: Book,
    parts: mpsc::Receiver<Part>,
    /// The nodes that have not said yet that they have no more; absent when following.
    waiting_for: Option<BTreeSet<NodeId>>,
    /// Why not all that was selected can be read.
    missing: Vec<String>,
    is_over: bool,
}

impl LogBroker {
    /// Subscribes to what the selected tasks write. Without `follow`, only of those that have started, and it ends.
    ///
    /// # Errors
    /// If nothing is selected.
    pub fn subscribe(
        &self,
        book: &Book,
        selector: LogSelector,
        options: proto::LogSubscriptionOptions,
    ) -> Result<LogSubscription, Status> {
        let proto::LogSelector { service_ids, node_ids, task_ids } = &selector;
        if service_ids.is_empty() && node_ids.is_empty() && task_ids.is_empty() {
            return Err(Status::invalid_argument("log selector must not be empty"));
        }
        let mut chance = host::chance::chance().map_err(|error| Status::internal(error.to_string()))?;
        let id = SubscriptionId::random(&mut chance);
        let state = book.borrow().clone();
        let (waiting_for, missing) = whom_to_wait_for(&state, &selector);
        let waiting_for = (!options.follow).then_some(waiting_for);
        let (parts, receiver) = mpsc::channel(MESSAGES_MAX);
        let wish = Arc::new(Wish { selector, options, parts });
        self.subscriptions.send_modify(|all| {
            all.insert(id, wish);
        });
        let (broker, book) = (self.clone(), book.clone());
        let mut subscription =
            LogSubscription { id, broker, book, parts: receiver, waiting_for, missing, is_over: false };
        subscription.give_up_lost_nodes();
        Ok(subscription)
    }

    fn wish(&self, id: &str) -> Option<Arc<Wish>> {
        let id = id.parse().ok()?;
        self.subscriptions.borrow().get(&id).cloned()
    }
}

impl LogSubscription {
    /// The next lines; `None` when there are no more. Nothing is lost if this is not awaited to its end.
    ///
    /// # Errors
    /// Last of all: why not everything that was selected could be read.
    pub async fn next(&mut self) -> Option<Result<Vec<proto::LogMessage>, Status>> {
        if self.is_over {
            return None;
        }
        let lines = self.lines().await;
        self.is_over = lines.is_none();
        lines.map(Ok).or_else(|| self.warning().map(Err))
    }

    async fn lines(&mut self) -> Option<Vec<proto::LogMessage>> {
        loop {
            if self.waiting_for.as_ref().is_some_and(BTreeSet::is_empty) {
                return None;
            }
            let part = tokio::select! {
                biased;
                part = self.parts.recv() => part?,
                changed = self.book.changed(), if self.waiting_for.is_some() => {
                    changed.ok()?;
                    self.give_up_lost_nodes();
                    continue;
                }
            };
            match part {
                Part::Lines(lines) => return Some(lines),
                Part::End(node, Ending::Whole) => drop(self.wait_no_more(node)),
                Part::End(node, Ending::Torn) => self.give_up(node),
            }
        }
    }

    /// What a reader must be told in the end, if not all that was selected could be read.
    fn warning(&self) -> Option<Status> {
        let missing = self.missing.join(", ");
        (!missing.is_empty()).then(|| Status::unknown(format!("{INCOMPLETE}{missing}")))
    }

    fn wait_no_more(&mut self, node: NodeId) -> bool {
        self.waiting_for.as_mut().is_some_and(|waiting_for| waiting_for.remove(&node))
    }

    fn give_up(&mut self, node: NodeId) {
        if self.wait_no_more(node) {
            self.missing.push(format!("node {node} is not available"));
        }
    }

    /// Nodes that cannot be asked are not waited for.
    fn give_up_lost_nodes(&mut self) {
        let state = self.book.borrow_and_update().clone();
        let is_ready =
            |id: &NodeId| state.nodes.get(*id).is_some_and(|node| node.status.state == NodeState::Ready);
        let waiting_for = self.waiting_for.iter().flatten();
        let lost: Vec<_> = waiting_for.copied().filter(|id| !is_ready(id)).collect();
        lost.into_iter().for_each(|node| self.give_up(node));
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.broker.subscriptions.send_modify(|all| {
            all.remove(&self.id);
        });
    }
}

/// Both services.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    guard: Guard,
    broker: LogBroker,
    book: Book,
}

impl Logs {
    pub(super) fn new(guard: Guard, broker: LogBroker, book: Book) -> Self {
        Self { guard, broker, book }
    }
}

#[tonic::async_trait]
impl logs_server::Logs for Logs {
    type SubscribeLogsStream = BoxStream<proto::SubscribeLogsMessage>;

    async fn subscribe_logs(
        &self,
        request: Request<proto::SubscribeLogsRequest>,
    ) -> Result<Response<Self::SubscribeLogsStream>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::SubscribeLogsRequest { selector, options } = request.into_inner();
        let selector = selector.ok_or_else(|| Status::invalid_argument("log selector must be provided"))?;
        let subscription = self.broker.subscribe(&self.book, selector, options.unwrap_or_default())?;
        let messages = futures_util::stream::unfold(subscription, |mut subscription| async {
            let read = subscription.next().await?;
            Some((read.map(|messages| proto::SubscribeLogsMessage { messages }), subscription))
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

#[tonic::async_trait]
impl log_broker_server::LogBroker for Logs {
    type ListenSubscriptionsStream = BoxStream<proto::SubscriptionMessage>;

    async fn listen_subscriptions(
        &self,
        request: Request<proto::ListenSubscriptionsRequest>,
    ) -> Result<Response<Self::ListenSubscriptionsStream>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let listener = Listener {
            node: caller.node,
            known: BTreeSet::new(),
            subscriptions: self.broker.subscriptions.subscribe(),
            book: self.book.clone(),
            news: VecDeque::new(),
        };
        let messages = futures_util::stream::unfold(listener, |mut listener| async {
            let message = listener.next().await?;
            Some((Ok(message), listener))
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn publish_logs(
        &self,
        request: Request<Streaming<proto::PublishLogsMessage>>,
    ) -> Result<Response<proto::PublishLogsResponse>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let mut publishing = Publishing { node: caller.node, broker: &self.broker, wish: None };
        let brought = publishing.take_all(request.into_inner()).await;
        publishing.end(if brought.is_ok() { Ending::Whole } else { Ending::Torn }).await;
        brought.map(|()| Response::new(proto::PublishLogsResponse {}))
    }
}

/// What one node brings for one subscription.
struct Publishing<'a> {
    node: NodeId,
    broker: &'a LogBroker,
    wish: Option<Arc<Wish>>,
}

impl Publishing<'_> {
    async fn take_all(&mut self, mut messages: Streaming<proto::PublishLogsMessage>) -> Result<(), Status> {
        while let Some(message) = messages.message().await? {
            if !self.take(message).await? {
                break;
            }
        }
        Ok(())
    }

    /// Hands lines to their reader. False when there is nobody to read, or there are no more.
    async fn take(&mut self, message: proto::PublishLogsMessage) -> Result<bool, Status> {
        let proto::PublishLogsMessage { subscription_id, messages, close } = message;
        self.wish = self.broker.wish(&subscription_id);
        let Some(wish) = &self.wish else { return Ok(false) };
        let of_others = |line: &proto::LogMessage| {
            line.context.as_ref().is_some_and(|context| context.node_id != self.node.as_str())
        };
        if messages.iter().any(of_others) {
            return Err(Status::permission_denied("a node publishes what its own tasks write only"));
        }
        let is_read = messages.is_empty() || wish.parts.send(Part::Lines(messages)).await.is_ok();
        Ok(is_read && !close)
    }

    /// Tells the reader that this node has no more, whether it said so or just ended.
    async fn end(self, ending: Ending) {
        if let Some(wish) = self.wish {
            // The reader may have gone.
            let _ = wish.parts.send(Part::End(self.node, ending)).await;
        }
    }
}

/// Tells one node which subscriptions concern it.
struct Listener {
    node: NodeId,
    known: BTreeSet<SubscriptionId>,
    subscriptions: watch::Receiver<Subscriptions>,
    book: Book,
    news: VecDeque<proto::SubscriptionMessage>,
}

impl Listener {
    /// The next thing to tell the node; `None` when this manager ends.
    async fn next(&mut self) -> Option<proto::SubscriptionMessage> {
        loop {
            if self.news.is_empty() {
                self.look();
            }
            if let Some(message) = self.news.pop_front() {
                return Some(message);
            }
            tokio::select! {
                changed = self.subscriptions.changed() => changed.ok()?,
                changed = self.book.changed() => changed.ok()?,
            }
        }
    }

    /// Subscriptions that began to concern this node, and those that ended.
    fn look(&mut self) {
        let all = self.subscriptions.borrow_and_update().clone();
        let state = self.book.borrow_and_update().clone();
        for (id, wish) in &all {
            if !self.known.contains(id) && self.is_concerned(&state, &wish.selector) {
                self.known.insert(*id);
                self.news.push_back(proto::SubscriptionMessage {
                    id: id.to_string(),
                    selector: Some(wish.selector.clone()),
                    options: Some(wish.options.clone()),
                    close: false,
                });
            }
        }
        let ended: Vec<_> = self.known.iter().copied().filter(|id| !all.contains_key(id)).collect();
        for id in ended {
            self.known.remove(&id);
            let ended = proto::SubscriptionMessage { id: id.to_string(), close: true, ..Default::default() };
            self.news.push_back(ended);
        }
    }

    fn is_concerned(&self, state: &State, selector: &LogSelector) -> bool {
        state.tasks_on(self.node).any(|task| selects(selector, task))
    }
}

/// The nodes on which selected tasks have started, and why other selected tasks cannot be read.
fn whom_to_wait_for(state: &State, selector: &LogSelector) -> (BTreeSet<NodeId>, Vec<String>) {
    let nodes = state.tasks.iter().filter(|task| selects(selector, task)).filter_map(|task| task.node_id);
    let is_unscheduled = |task: &Task| {
        is_named(selector, task) && task.node_id.is_none() && task.desired_state <= TaskState::Running
    };
    let unscheduled = state.tasks.iter().filter(|task| is_unscheduled(task));
    let reasons = unscheduled.map(|task| format!("task {} has not been scheduled", task.id));
    (nodes.collect(), reasons.collect())
}

/// A task is selected if it is named and has started: before, it has written nothing.
fn selects(selector: &LogSelector, task: &Task) -> bool {
    task.status.state >= TaskState::Starting && is_named(selector, task)
}

/// A task is named by its service, its node or its own id.
fn is_named(selector: &LogSelector, task: &Task) -> bool {
    let proto::LogSelector { service_ids, node_ids, task_ids } = selector;
    let named = |ids: &[String], id: Option<&str>| id.is_some_and(|id| ids.iter().any(|other| other == id));
    named(task_ids, Some(task.id.as_str()))
        || named(service_ids, task.service_id.as_ref().map(|id| id.as_str()))
        || named(node_ids, task.node_id.as_ref().map(|id| id.as_str()))
}
