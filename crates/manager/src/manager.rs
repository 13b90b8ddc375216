//! A manager: its log, its book, its place in the group, and the leader while it leads.
//!
//! In: where its state is, who it is, and with what it begins. Out: a way to ask, a way to read, a way to the group,
//! services for other nodes. It opens no ports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::leader::{Founding, Input, Leader, Output, Request};
use host::clock;
use host::shutdown::Shutdown;
use model::{Chance, ClusterId, Duration, Machine, NodeId, Refusal, Timestamp};
use raft::{
    ConfChange, ConfChangeKind, Config, Index, Persist, Position, Refused, Replica, ReplicaId, Snapshot,
    SnapshotOutcome, Stored,
};
use rustls::ClientConfig;
use store::State;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use wire::{Malformed, Member};

use crate::anew;
use crate::ask::Ask;
use crate::book::{Book, Reader};
use crate::external::Externals;
use crate::leader::LeaderPump;
use crate::log::seal::Keys;
use crate::log::writer::{Room, Writer};
use crate::log::{Log, LogError};
use crate::members::{GroupView, Members, Reachability};
use crate::registrar::Registrar;
use crate::replica::{Leadership, Order, ReplicaPump, Ways};
use crate::route::Route;
use crate::services::{LogBroker, Services};
use crate::transport::Incoming;

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
    /// Which swarm it belongs to.
    pub cluster: ClusterId,
    /// The keys of its log.
    pub keys: Keys,
    /// How soon it takes others for lost.
    pub pace: Pace,
    /// With what it calls other managers.
    pub tls: watch::Receiver<Arc<ClientConfig>>,
    /// Takes the messages to other managers. What finds no room in it is lost, as messages may be.
    pub messages: mpsc::Sender<raft::Message>,
}

/// How soon managers take each other for lost. All managers of a swarm must have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The unit of the two below; a second in SwarmKit.
    pub tick: Duration,
    /// Ticks between heartbeats; at least 1.
    pub heartbeat_ticks: u32,
    /// Ticks without a leader until an election, up to twice as long by chance; more than between heartbeats.
    pub election_ticks: u32,
}

impl Default for Pace {
    /// A leader that falls is replaced within a second.
    fn default() -> Self {
        let Config { tick, heartbeat_ticks, election_ticks, .. } = Config::quick(0);
        Self { tick, heartbeat_ticks, election_ticks }
    }
}

/// With what a manager starts.
#[derive(Debug)]
pub enum Beginning {
    /// What it has stored.
    Resume,
    /// A new swarm, which it founds unless that was done already.
    Found(Box<Founding>),
    /// A group that has taken it in: all members, as it was told.
    Join(Vec<Member>),
    /// What it has stored, in a group of its own: everyone else is lost.
    Anew,
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
    raft_id: ReplicaId,
    cluster: ClusterId,
    tls: watch::Receiver<Arc<ClientConfig>>,
    registrar: Registrar,
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
    /// Starts a manager. A founder returns when its swarm is founded.
    ///
    /// # Errors
    /// If what is stored cannot be used, or the swarm cannot be founded.
    pub async fn start(config: ManagerConfig, beginning: Beginning) -> Result<Self, StartError> {
        let me = config.node_id;
        let make = move |state: &State, chance, now| Leader::new(state, me, chance, now);
        Self::start_with(config, beginning, make).await
    }

    /// As [`Manager::start`], with a leader of one's own choice.
    pub(crate) async fn start_with<M, F>(
        config: ManagerConfig,
        beginning: Beginning,
        make: F,
    ) -> Result<Self, StartError>
    where
        M: Machine<Input = Input, Output = Output> + Send + 'static,
        F: Fn(&State, Chance, Timestamp) -> M + Send + 'static,
    {
        let ManagerConfig { state_dir, raft_id, node_id, addr, cluster, keys, pace, tls, messages } = config;
        let me = Member { raft_id, node_id, addr };
        let first = match &beginning {
            Beginning::Resume | Beginning::Join(_) => None,
            Beginning::Found(_) => Some((First::Founder, me)),
            Beginning::Anew => Some((First::Survivor, me)),
        };
        let opened = tokio::task::spawn_blocking(move || open(&state_dir, keys, first));
        let (log, stored) = opened.await.expect("opening the log does not panic")?;
        let mut book = Book::open(stored.snapshot.as_ref()).map_err(StartError::Book)?;
        book.know(Members::named_in(&stored.entries));
        if let Beginning::Join(members) = &beginning {
            book.know(members.clone());
        }
        let (orders, received_orders) = mpsc::channel(ORDERS_WAITING_MAX);
        let group = Group::of(orders.clone());
        let (leader, news) = mpsc::unbounded_channel();
        let leadership = watch::Sender::new(Leadership::Nobody(clock::now()));
        let failure = watch::Sender::new(None);

        let reader = book.reader();
        let patience = pace.tick * pace.election_ticks * ELECTIONS_UNTIL_LOST;
        let route = Route::new(leadership.subscribe(), reader.members(), tls.clone(), patience);
        let room = watch::Sender::default();
        let (ask, questions) = Ask::led(route, room.subscribe(), group.clone(), reader.watch());
        let writer = start_writer(log, room, orders.clone(), Alarm(failure.clone()))?;
        let (registrar, keeper) = Registrar::new(group.clone(), &reader, host::chance::chance()?);
        let failed = failure.subscribe();
        let shutdown = Shutdown::new();
        let manager =
            Self { ask, reader, group, raft_id, cluster, tls, registrar, shutdown, failure: failed };

        let stop = manager.shutdown.token().clone();
        let replica = Replica::new(pace.of(raft_id), &stored, host::chance::chance()?, clock::uptime());
        let ways =
            Ways { leader, messages, leadership, orders: orders.clone(), alarm: Alarm(failure.clone()) };
        let pump = ReplicaPump::new(replica, book, writer, ways, snapshot_position(&stored));
        manager.shutdown.spawn(pump.run(received_orders, stop.clone()));
        let outside = (Externals::new(manager.tls.clone()), Alarm(failure));
        let pump = LeaderPump::new(make, manager.group_view(), orders, host::chance::chance()?, outside);
        manager.shutdown.spawn(pump.run(questions, news, stop.clone()));
        manager.shutdown.spawn(keeper.run(stop));

        if let Beginning::Found(founding) = beginning {
            let founded = manager.ask.request(Request::Found(founding)).await;
            founded.map_err(StartError::Founding)?;
        }
        Ok(manager)
    }

    /// Waits a moment until everything is in the book that was acknowledged before. The other managers must be able to
    /// speak with this one meanwhile.
    pub async fn settle(&self) {
        if !matches!(timeout(SETTLE_MAX, self.ask.read()).await, Ok(Ok(_))) {
            tracing::warn!("nobody leads the managers yet");
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

    /// What other nodes may call on it.
    pub fn services(&self, logs: LogBroker) -> Services {
        let incoming = Incoming {
            id: self.raft_id,
            group: self.group.clone(),
            members: self.reader.members(),
            tls: self.tls.clone(),
        };
        Services {
            ask: self.ask.clone(),
            book: self.reader.watch(),
            logs,
            cluster: self.cluster,
            incoming,
            registrar: self.registrar.clone(),
        }
    }

    /// Returns when the group has let this manager go: it hears so of another, or reads it in its own log. Never
    /// otherwise.
    pub async fn removed(&self) {
        let mut reachability = self.group.reachability().subscribe();
        let mut members = self.reader.members();
        let told = async { reachability.wait_for(|now| now.is_removed).await.is_ok() };
        let read =
            async { members.wait_for(|members| members.removed.contains(&self.raft_id)).await.is_ok() };
        tokio::select! {
            true = told => {}
            true = read => {}
            else => std::future::pending().await,
        }
    }

    fn group_view(&self) -> GroupView {
        GroupView {
            own: self.raft_id,
            members: self.reader.members(),
            reachability: self.group.reachability().subscribe(),
        }
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

    /// Lets another manager lead, if this one does and another can be reached: nobody then has to notice first that this
    /// one has gone.
    pub async fn hand_over(&self) {
        let mut leadership = self.ask.leadership();
        if *leadership.borrow() != Leadership::Here {
            return;
        }
        let members = self.reader.members().borrow().clone();
        let unreachable = self.group.reachability().borrow().unreachable.clone();
        let can_lead = |id: &ReplicaId| *id != self.raft_id && !unreachable.contains(id);
        let Some(successor) = members.present.keys().copied().find(can_lead) else { return };
        self.group.transfer_leader(successor).await;
        let handed_over = leadership.wait_for(|leadership| matches!(leadership, Leadership::There(_)));
        if timeout(HAND_OVER_MAX, handed_over).await.is_err() {
            tracing::info!("nobody has taken over the lead of the managers yet");
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
    pub(crate) fn of(orders: mpsc::Sender<Order>) -> Self {
        Self { orders, reachability: watch::Sender::default() }
    }

    /// Who can be reached; whoever carries messages keeps it up to date.
    pub fn reachability(&self) -> &watch::Sender<Reachability> {
        &self.reachability
    }

    /// Hands over what another manager's replica says.
    pub async fn hear(&self, message: raft::Message) {
        self.order(Order::Hear(message)).await;
    }

    /// Returns when the manager has ended: nobody hears what is handed over then.
    pub async fn ended(&self) {
        self.orders.closed().await;
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

    /// How far the group has committed, at the moment of the question at least; or why this cannot be known now.
    ///
    /// # Errors
    /// If the manager has ended.
    pub(crate) async fn committed(&self) -> Result<Result<Index, Refused>, Refusal> {
        let (reader, answer) = oneshot::channel();
        self.order(Order::Read(reader)).await;
        answer.await.map_err(|_| Refusal::no_leader())
    }

    async fn order(&self, order: Order) {
        // If the pump has ended, so has the manager, and its owner knows.
        let _ = self.orders.send(order).await;
    }
}

impl Pace {
    /// The replica's settings with this pace.
    fn of(self, id: ReplicaId) -> Config {
        let Self { tick, heartbeat_ticks, election_ticks } = self;
        Config { tick, heartbeat_ticks, election_ticks, ..Config::quick(id) }
    }
}

/// Who writes the first entries of a log by himself.
enum First {
    /// One who has none yet, and begins one.
    Founder,
    /// One who goes on alone with his.
    Survivor,
}

/// Opens the log, with first entries in it if it is this manager's to write them.
fn open(folder: &Path, keys: Keys, first: Option<(First, Member)>) -> Result<(Log, Stored), LogError> {
    let (mut log, mut stored) = Log::open(folder, keys)?;
    let persist = match first {
        Some((First::Founder, me)) if stored == Stored::default() => {
            let Stored { hard_state, entries, snapshot } = Stored::founding(me.raft_id, me.to_bytes().into());
            Persist { number: 0, hard_state, snapshot, entries }
        }
        Some((First::Survivor, me)) => anew::begin(&stored, &me),
        _ => return Ok((log, stored)),
    };
    log.persist(&persist)?;
    stored.hard_state = persist.hard_state;
    stored.entries.extend(persist.entries);
    Ok((log, stored))
}

/// Starts the log's thread; what it has written comes back as orders.
fn start_writer(
    log: Log,
    room: watch::Sender<Room>,
    orders: mpsc::Sender<Order>,
    alarm: Alarm,
) -> std::io::Result<Writer> {
    Writer::start(log, room, move |written| {
        let _watched = &alarm;
        // If the pump has ended, nobody needs to know any more.
        let _ = orders.blocking_send(Order::Written(written));
    })
}

fn snapshot_position(stored: &Stored) -> Position {
    let position = |snapshot: &Snapshot| Position { index: snapshot.index, term: snapshot.term };
    stored.snapshot.as_ref().map_or(Position::default(), position)
}

/// So many election timeouts without a leader mean that too few managers are there; until then a request waits.
const ELECTIONS_UNTIL_LOST: u32 = 5;
/// Orders that may wait for the replica's pump.
const ORDERS_WAITING_MAX: usize = 4_096;
/// How long to wait for a leader at the start. A group of one takes a few milliseconds.
const SETTLE_MAX: Duration = Duration::from_secs(1);
/// How long another manager may take to take over. In a group that is well it takes a few milliseconds.
const HAND_OVER_MAX: Duration = Duration::from_secs(1);
/// How long a manager may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
