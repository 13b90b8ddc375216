//! A manager: its log, its book, its place in the group, and the leader while it leads.
//!
//! In: where its state is, who it is, and for the first manager what the swarm begins with. Out: a way to ask, a way
//! to read, a way to the group. It opens no ports: services and transport use these ways.

use std::path::PathBuf;
use std::sync::Arc;

use control::leader::{Founding, Input, Leader, Output, Request};
use host::clock;
use host::shutdown::Shutdown;
use model::{Chance, Duration, Machine, NodeId, Refusal, Timestamp};
use raft::{
    ConfChange, ConfChangeKind, Config, Persist, Position, Refused, Replica, ReplicaId, SnapshotOutcome,
    Stored,
};
use store::State;
use tokio::sync::{mpsc, oneshot, watch};
use wire::{Malformed, Member};

use crate::ask::Ask;
use crate::book::{Book, Reader};
use crate::leader::LeaderPump;
use crate::log::seal::Keys;
use crate::log::writer::Writer;
use crate::log::{Log, LogError};
use crate::members::{GroupView, Reachability};
use crate::replica::{Leadership, Order, ReplicaPump, Ways};

/// What a manager must know to start.
#[derive(Debug)]
pub struct ManagerConfig {
    /// The folder for its log; made if it is not there. No two managers may use the same.
    pub state_dir: PathBuf,
    /// Its number in the group.
    pub raft_id: ReplicaId,
    /// Which node it is.
    pub node_id: NodeId,
    /// Where other managers reach it, with port.
    pub addr: String,
    /// The keys of its log.
    pub keys: Keys,
    /// The unit of heartbeats and elections; a second in SwarmKit. All managers must have the same.
    pub tick: Duration,
    /// Takes the messages to other managers. What finds no room in it is lost, as messages may be.
    pub messages: mpsc::Sender<raft::Message>,
}

/// Why a manager does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is stored is not a book.
    #[error("the stored snapshot cannot be read; start the version that wrote it")]
    Book(#[source] Malformed),
    /// The machine gives no threads or no random numbers.
    #[error("starting the manager's thread")]
    Machine(#[from] std::io::Error),
    /// The swarm was not founded.
    #[error("founding the swarm: {0}")]
    Founding(Refusal),
}

/// A manager that runs.
#[derive(Debug)]
pub struct Manager {
    ask: Ask,
    reader: Reader,
    group: Group,
    shutdown: Shutdown,
    failure: watch::Receiver<Option<Failure>>,
}

/// Why a manager that ran can do no more. Its owner should end, and say why.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing can be written any more.
    #[error("the log of the manager cannot be written")]
    Log(#[source] Arc<LogError>),
    /// A bug; what is on disk is right.
    #[error("a part of the manager has panicked")]
    Panic,
}

/// Raises the alarm if the task that holds it panics.
#[derive(Debug)]
pub(crate) struct Alarm(watch::Sender<Option<Failure>>);

impl Alarm {
    pub(crate) fn raise(&self, failure: Failure) {
        self.0.send_replace(Some(failure));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.raise(Failure::Panic);
        }
    }
}

/// The way to this manager's replica. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Group {
    orders: mpsc::Sender<Order>,
    reachability: watch::Sender<Reachability>,
}

impl Manager {
    /// Starts a manager with what it has stored. With `found` it founds the swarm, unless that was done already, and
    /// returns when it is done.
    ///
    /// # Errors
    /// If what is stored cannot be used, or the swarm cannot be founded.
    pub async fn start(config: ManagerConfig, found: Option<Founding>) -> Result<Self, StartError> {
        let me = config.node_id;
        let make = move |state: &State, chance, now| Leader::new(state, me, chance, now);
        Self::start_with(config, found, make).await
    }

    /// As [`Manager::start`], with a leader of one's own choice.
    pub(crate) async fn start_with<M, F>(
        config: ManagerConfig,
        found: Option<Founding>,
        make: F,
    ) -> Result<Self, StartError>
    where
        M: Machine<Input = Input, Output = Output> + Send + 'static,
        F: Fn(&State, Chance, Timestamp) -> M + Send + 'static,
    {
        let ManagerConfig { state_dir, raft_id, node_id, addr, keys, tick, messages } = config;
        let founder = found.is_some().then_some(Member { raft_id, node_id, addr });
        let opened = tokio::task::spawn_blocking(move || open(&state_dir, keys, founder));
        let (log, stored) = opened.await.expect("opening the log does not panic")?;
        let is_new = stored == Stored::default();
        let book = Book::open(stored.snapshot.as_ref()).map_err(StartError::Book)?;
        let snapshot = stored.snapshot.as_ref();
        let snapshot = snapshot.map_or(Position::default(), |s| Position { index: s.index, term: s.term });

        let (orders, received_orders) = mpsc::channel(ORDERS_WAITING_MAX);
        let (leader, news) = mpsc::unbounded_channel();
        let leadership = watch::Sender::new(Leadership::Nobody(clock::now()));
        let failure = watch::Sender::new(None);
        let config = Config { tick, ..Config::new(raft_id) };
        let patience = config.tick * config.election_ticks;
        let replica = Replica::new(config, &stored, host::chance::chance()?, clock::now());

        let done = orders.clone();
        let room = watch::Sender::default();
        let (ask, questions) = Ask::led(leadership.subscribe(), room.subscribe(), patience);
        let watched = Alarm(failure.clone());
        let writer = Writer::start(log, room, move |written| {
            let _watched = &watched;
            // If the pump has ended, nobody needs to know any more.
            let _ = done.blocking_send(Order::Written(written));
        })?;
        let manager = Self {
            ask,
            reader: book.reader(),
            group: Group { orders: orders.clone(), reachability: watch::Sender::default() },
            shutdown: Shutdown::new(),
            failure: failure.subscribe(),
        };
        let alarm = Alarm(failure.clone());
        let ways = Ways { leader, messages, leadership, orders: orders.clone(), alarm };
        let stop = manager.shutdown.token().clone();
        let pump = ReplicaPump::new(replica, book, writer, ways, snapshot);
        manager.shutdown.spawn(pump.run(received_orders, stop.clone()));
        let view = GroupView {
            own: raft_id,
            members: manager.reader.members(),
            reachability: manager.group.reachability.subscribe(),
        };
        let pump = LeaderPump::new(make, view, orders, host::chance::chance()?, Alarm(failure));
        manager.shutdown.spawn(pump.run(questions, news, stop));

        if !is_new {
            manager.settle().await;
        }
        if let Some(founding) = found {
            let founded = manager.ask.request(Request::Found(Box::new(founding))).await;
            founded.map_err(StartError::Founding)?;
        }
        Ok(manager)
    }

    /// Waits a moment until somebody leads: only then is everything in the book that was ever acknowledged here.
    async fn settle(&self) {
        let mut leadership = self.ask.leadership();
        let led = leadership.wait_for(|leadership| !matches!(leadership, Leadership::Nobody(_)));
        if tokio::time::timeout(SETTLE_MAX, led).await.is_err() {
            tracing::warn!("nobody leads the managers yet; what is shown may be old");
        }
    }

    /// Asks the leader.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// Reads the book.
    pub fn book(&self) -> &Reader {
        &self.reader
    }

    /// Speaks with the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns when the manager can do no more. Never otherwise.
    pub async fn failure(&self) -> Failure {
        let mut failure = self.failure.clone();
        let failed = failure.wait_for(Option::is_some).await.ok().and_then(|failed| failed.clone());
        match failed {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Stops it; everything acknowledged is on disk anyway. False if it did not end in time.
    pub async fn stop(self) -> bool {
        self.shutdown.finish(STOP_DEADLINE).await
    }
}

impl Drop for Manager {
    /// Lets nothing run on that nobody holds.
    fn drop(&mut self) {
        self.shutdown.token().cancel();
    }
}

impl Group {
    /// Who can be reached; whoever carries messages keeps it up to date.
    pub fn reachability(&self) -> &watch::Sender<Reachability> {
        &self.reachability
    }

    /// Says who is in the group, to a manager that joins and has nothing stored yet. What the log says counts more.
    pub async fn know(&self, members: Vec<Member>) {
        self.order(Order::Know(members)).await;
    }

    /// Hands over what another manager's replica says.
    pub async fn hear(&self, message: raft::Message) {
        self.order(Order::Hear(message)).await;
    }

    /// Says that a message could not be delivered.
    pub async fn unreachable(&self, id: ReplicaId) {
        self.order(Order::Unreachable(id)).await;
    }

    /// Says how sending a snapshot ended. This must be said of every snapshot.
    pub async fn snapshot_sent(&self, to: ReplicaId, outcome: SnapshotOutcome) {
        self.order(Order::SnapshotSent(to, outcome)).await;
    }

    /// Hands leadership to another replica, if this one has it.
    pub async fn transfer_leader(&self, to: ReplicaId) {
        self.order(Order::TransferLeader(to)).await;
    }

    /// Adds a member, or changes its address; returns when that is in effect.
    ///
    /// # Errors
    /// If this replica does not lead, or another change is under way.
    pub async fn put_member(&self, member: &Member, kind: ConfChangeKind) -> Result<(), Refused> {
        let context = member.to_bytes().into();
        self.change(ConfChange { id: 0, kind, replica: member.raft_id, context }).await
    }

    /// Removes a member; returns when that is in effect.
    ///
    /// # Errors
    /// As [`Group::put_member`].
    pub async fn remove_member(&self, replica: ReplicaId) -> Result<(), Refused> {
        let kind = ConfChangeKind::Remove;
        self.change(ConfChange { id: 0, kind, replica, context: Arc::from([]) }).await
    }

    /// Seals the manager's log with other keys. False if the manager ends before that is done; then it must be begun
    /// again at its next start.
    pub async fn rotate(&self, keys: Keys) -> bool {
        let (reply, done) = oneshot::channel();
        self.order(Order::Rotate { keys, reply }).await;
        done.await.is_ok()
    }

    async fn change(&self, change: ConfChange) -> Result<(), Refused> {
        let (reply, done) = oneshot::channel();
        self.order(Order::Change { change, reply }).await;
        done.await.unwrap_or(Err(Refused::NotLeader))
    }

    async fn order(&self, order: Order) {
        // If the pump has ended, so has the manager, and its owner knows.
        let _ = self.orders.send(order).await;
    }
}

/// Opens the log; a founder who has none begins one.
fn open(folder: &std::path::Path, keys: Keys, founder: Option<Member>) -> Result<(Log, Stored), LogError> {
    let (mut log, stored) = Log::open(folder, keys)?;
    match founder {
        Some(member) if stored == Stored::default() => {
            let stored = Stored::founding(member.raft_id, member.to_bytes().into());
            let Stored { hard_state, entries, snapshot } = stored.clone();
            log.persist(&Persist { number: 0, hard_state, snapshot, entries })?;
            Ok((log, stored))
        }
        _ => Ok((log, stored)),
    }
}

/// Orders that may wait for the replica's pump.
const ORDERS_WAITING_MAX: usize = 4_096;
/// How long to wait for a leader at the start. A group of one takes a few milliseconds.
const SETTLE_MAX: Duration = Duration::from_secs(1);
/// How long a manager may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
