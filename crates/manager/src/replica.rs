//! Pumps the replica: persists, then sends, then applies, then tells the leader's pump.
//!
//! In: orders from other pumps, messages from other managers, what the log's thread has written. Out: the book,
//! messages to other managers, and for the leader's pump the news of what became of its proposals. It has its own
//! task, so that a long round of the leader delays no heartbeat; and it goes by the time since the machine was started,
//! which nobody sets, for what replicas promise each other rests on how long things take.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use host::clock;
use host::pump;
use model::{Machine, Timestamp};
use raft::{
    Commit, ConfChange, ConfChangeKind, ConfState, Entry, Index, Input, Lead, Output, Position, Refused,
    Replica, ReplicaId, Snapshot, SnapshotOutcome, Term, Ticket,
};
use store::{Change, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::book::{self, Book};
use crate::log::seal::Keys;
use crate::log::writer::{Write, Writer, Written};
use crate::manager::{Alarm, Failure};
use crate::readers::{Reader, Readers};

/// What the replica's pump may be told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Put these changes into the log, as one entry unless they are too many.
    Propose {
        /// The proposer's number, which comes back with the news.
        proposal: u64,
        /// What changes.
        changes: Vec<Change>,
    },
    /// Another manager's replica says something.
    Hear(raft::Message),
    /// Change the group.
    Change {
        /// How.
        change: ConfChange,
        /// Told once it is applied, or why not.
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    /// Tell how far the group had committed when this was asked.
    Read(Reader),
    /// Hand leadership to this replica.
    TransferLeader(ReplicaId),
    /// A message could not be delivered.
    Unreachable(ReplicaId),
    /// How sending a snapshot ended.
    SnapshotSent(ReplicaId, SnapshotOutcome),
    /// A snapshot was made of the book.
    Snapshot(Snapshot, Purpose),
    /// Seal the log with other keys.
    Rotate {
        /// The keys; the earlier one is needed until it is done.
        keys: Keys,
        /// Told once only the current one is needed.
        reply: oneshot::Sender<()>,
    },
    /// The log's thread has written something.
    Written(Written),
}

impl Order {
    /// Take a replica out of the group, whether or not anybody waits for it.
    pub(crate) fn remove(replica: ReplicaId) -> Self {
        let change = ConfChange { id: 0, kind: ConfChangeKind::Remove, replica, context: Arc::from([]) };
        let (reply, _) = oneshot::channel();
        Self::Change { change, reply }
    }
}

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be stored, so that older entries can go.
    Compaction,
    /// For a follower that is far behind.
    Follower,
}

/// What the leader's pump hears from here, in order.
#[derive(Debug)]
pub(crate) enum ReplicaNews {
    /// This manager leads, and this is the book it begins with.
    Established(Arc<State>),
    /// The book has moved on.
    Committed {
        /// The book.
        state: Arc<State>,
        /// The proposal of this manager that is now in it.
        proposal: Option<u64>,
    },
    /// This manager leads no more, or what it proposed will never be in the log.
    Lost,
}

/// Who leads the managers, as far as this one knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This manager.
    Here,
    /// Another one.
    There(ReplicaId),
    /// Nobody, since then.
    Nobody(Timestamp),
}

/// Where the pump's news go.
pub(crate) struct Ways {
    /// To the leader's pump.
    pub(crate) leader: mpsc::UnboundedSender<ReplicaNews>,
    /// To other managers.
    pub(crate) messages: mpsc::Sender<raft::Message>,
    /// To whoever wants to know who leads.
    pub(crate) leadership: watch::Sender<Leadership>,
    /// To itself, from threads that work for it.
    pub(crate) orders: mpsc::Sender<Order>,
    /// To whoever owns the manager, if it can do no more.
    pub(crate) alarm: Alarm,
}

/// The pump.
pub(crate) struct ReplicaPump {
    replica: Replica,
    book: Book,
    writer: Writer,
    ways: Ways,
    proposals: Proposals,
    changes: BTreeMap<Ticket, oneshot::Sender<Result<(), Refused>>>,
    readers: Readers,
    next_ticket: Ticket,
    /// The last entry applied, and the group as of it.
    applied: (Position, Arc<ConfState>),
    snapshots: Snapshots,
    /// Who waits for the log to be sealed anew, in order.
    rotations: VecDeque<oneshot::Sender<()>>,
}

/// What this manager proposed and is not yet committed.
#[derive(Debug, Default)]
struct Proposals {
    offered: BTreeMap<Ticket, Part>,
    accepted: BTreeMap<Index, (Term, Waiter)>,
}

/// One entry of a proposal. Usually it is the only one.
#[derive(Debug)]
struct Part {
    changes: Vec<Change>,
    /// The proposal that is whole with this part.
    completes: Option<u64>,
}

/// Who waits for an entry.
#[derive(Debug)]
enum Waiter {
    Proposal(Part),
    Change(oneshot::Sender<Result<(), Refused>>),
}

/// When the book was last stored as a snapshot.
#[derive(Debug)]
struct Snapshots {
    last: Index,
    is_under_way: bool,
}

impl ReplicaPump {
    pub(crate) fn new(replica: Replica, book: Book, writer: Writer, ways: Ways, snapshot: Position) -> Self {
        let applied = (snapshot, Arc::clone(replica.members()));
        Self {
            replica,
            book,
            writer,
            ways,
            proposals: Proposals::default(),
            changes: BTreeMap::new(),
            readers: Readers::default(),
            next_ticket: 1,
            applied,
            snapshots: Snapshots { last: snapshot.index, is_under_way: false },
            rotations: VecDeque::new(),
        }
    }

    /// Runs until told to stop, or until the log is broken.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        loop {
            let due = self.replica.wake_at().into_iter().chain(self.readers.due()).min();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(order) = orders.recv() => if self.obey(order).is_err() { break },
                () = pump::sleep(due.map(|at| at.since(clock::uptime()))) => self.tell(Input::Wake),
            }
            self.ask_for_readers();
        }
        self.lose();
        self.ways.leadership.send_replace(Leadership::Nobody(clock::now()));
        let writer = self.writer;
        let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
        if finished.is_err() {
            tracing::error!("waiting for the log's thread has panicked");
        }
    }

    fn obey(&mut self, order: Order) -> Result<(), Ended> {
        match order {
            Order::Propose { proposal, changes } => self.propose(proposal, changes),
            Order::Hear(message) => self.tell(Input::Message(message)),
            Order::Change { change, reply } => {
                let ticket = self.ticket();
                self.changes.insert(ticket, reply);
                self.tell(Input::Membership { ticket, change });
            }
            Order::Read(reader) => self.readers.welcome(reader),
            Order::TransferLeader(to) => self.tell(Input::TransferLeader(to)),
            Order::Unreachable(id) => self.tell(Input::Unreachable(id)),
            Order::SnapshotSent(to, outcome) => self.tell(Input::SnapshotSent { to, outcome }),
            Order::Snapshot(snapshot, Purpose::Follower) => self.tell(Input::Snapshot(snapshot)),
            Order::Snapshot(snapshot, Purpose::Compaction) => {
                let keep_old = self.book.state().cluster().map_or(0, |c| c.spec.raft.keep_old_snapshots);
                self.writer.write(Write::Compact { snapshot, keep_old });
            }
            Order::Written(Written::Persisted(number)) => self.tell(Input::Persisted(number)),
            Order::Written(Written::Compacted(index)) => self.compacted(index),
            Order::Rotate { keys, reply } => {
                self.rotations.push_back(reply);
                self.writer.write(Write::Rotate(keys));
            }
            Order::Written(Written::Rotated) => {
                // Whoever asked may have gone.
                self.rotations.pop_front().map(|reply| reply.send(()));
            }
            Order::Written(Written::Broken(error)) => {
                tracing::error!(%error, "the log cannot be written any more");
                self.ways.alarm.raise(Failure::Log(Arc::new(error)));
                return Err(Ended);
            }
        }
        Ok(())
    }

    /// Proposes changes; so many that they do not fit into one entry become several, and are whole with the last.
    fn propose(&mut self, proposal: u64, changes: Vec<Change>) {
        let mut parts: Vec<(Vec<u8>, Vec<Change>)> = Vec::new();
        split(changes, &mut parts);
        let last = parts.len() - 1;
        for (place, (data, changes)) in parts.into_iter().enumerate() {
            let ticket = self.ticket();
            let completes = (place == last).then_some(proposal);
            self.proposals.offered.insert(ticket, Part { changes, completes });
            self.tell(Input::Propose { ticket, data: data.into() });
        }
    }

    /// Asks how far the group has committed, if somebody waits for that.
    fn ask_for_readers(&mut self) {
        let ticket = self.ticket();
        if self.readers.ask(ticket, clock::uptime()) {
            self.tell(Input::Read { ticket });
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Hands something to the replica, and carries out what it wishes, in order.
    fn tell(&mut self, input: Input) {
        for output in self.replica.handle(clock::uptime(), input) {
            match output {
                Output::Persist(persist) => self.writer.write(Write::Persist(persist)),
                Output::Send(message) => self.send(message),
                Output::Commit(commit) => self.apply(commit),
                Output::Restore(snapshot) => self.restore(&snapshot),
                Output::Lead(lead) => self.led_by(lead),
                Output::Accepted { ticket, at } => self.accepted(ticket, at),
                Output::Refused { ticket, why } => self.refused(ticket, why),
                Output::Readable { ticket, index } => self.readers.answer(ticket, Ok(index)),
                Output::SnapshotWanted => self.make_snapshot(Purpose::Follower),
            }
        }
    }

    /// Hands a message on. If too many wait, this one is lost, as messages may be.
    fn send(&mut self, message: raft::Message) {
        let to = message.to;
        let is_snapshot = matches!(message.body, raft::Body::Snapshot(_));
        if self.ways.messages.try_send(message).is_err() {
            let orders = self.ways.orders.clone();
            let lost = match is_snapshot {
                true => Order::SnapshotSent(to, SnapshotOutcome::Failed),
                false => Order::Unreachable(to),
            };
            // If even this finds no room, the next heartbeat's answer sets things right.
            let _ = orders.try_send(lost);
        }
    }

    fn apply(&mut self, commit: Commit) {
        let Commit { entries, members } = commit;
        let mut completed = Vec::new();
        for entry in &entries {
            let known = self.proposals.take(entry, &mut completed);
            self.book.apply(entry, known);
        }
        if let Some(last) = entries.last() {
            self.applied = (Position { index: last.index, term: last.term }, members);
        }
        let state = self.book.show();
        let is_leader = *self.ways.leadership.borrow() == Leadership::Here;
        if is_leader {
            let proposals = if completed.is_empty() { vec![None] } else { completed };
            for proposal in proposals {
                self.inform(ReplicaNews::Committed { state: Arc::clone(&state), proposal });
            }
        }
        self.compact_if_due(&state);
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let Snapshot { index, term, members, data: _ } = snapshot;
        if let Err(error) = self.book.restore(snapshot) {
            // The leader's book is not readable here: a wrong book would be worse than none.
            panic!("the leader's snapshot makes no sense: {error}");
        }
        self.applied = (Position { index: *index, term: *term }, Arc::new(members.clone()));
        self.snapshots.last = *index;
    }

    fn led_by(&mut self, lead: Lead) {
        let leadership = match lead {
            Lead::Established { term } => {
                tracing::info!(term, "this manager leads");
                Leadership::Here
            }
            Lead::Other { leader, term } => {
                tracing::info!(term, leader, "another manager leads");
                Leadership::There(leader)
            }
            Lead::Nobody { .. } | Lead::Elected { .. } => match *self.ways.leadership.borrow() {
                Leadership::Nobody(since) => Leadership::Nobody(since),
                Leadership::Here | Leadership::There(_) => Leadership::Nobody(clock::now()),
            },
        };
        match leadership {
            Leadership::Here => self.inform(ReplicaNews::Established(self.book.state())),
            Leadership::There(_) | Leadership::Nobody(_) => self.lose(),
        }
        self.ways.leadership.send_replace(leadership);
    }

    /// Whatever was proposed may or may not come true; nobody here will know.
    fn lose(&mut self) {
        if *self.ways.leadership.borrow() == Leadership::Here {
            self.inform(ReplicaNews::Lost);
        }
        self.proposals = Proposals::default();
    }

    fn accepted(&mut self, ticket: Ticket, at: Position) {
        let waiter = match (self.proposals.offered.remove(&ticket), self.changes.remove(&ticket)) {
            (Some(part), _) => Waiter::Proposal(part),
            (None, Some(reply)) => Waiter::Change(reply),
            (None, None) => return,
        };
        self.proposals.accepted.insert(at.index, (at.term, waiter));
    }

    fn refused(&mut self, ticket: Ticket, why: Refused) {
        if let Some(reply) = self.changes.remove(&ticket) {
            // Whoever asked may have gone.
            let _ = reply.send(Err(why));
        } else if self.proposals.offered.remove(&ticket).is_some() {
            tracing::info!(%why, "a proposal was refused");
            self.inform(ReplicaNews::Lost);
            if *self.ways.leadership.borrow() == Leadership::Here {
                self.inform(ReplicaNews::Established(self.book.state()));
            }
        } else {
            self.readers.answer(ticket, Err(why));
        }
    }

    fn inform(&self, news: ReplicaNews) {
        // The leader's pump may have ended first on the way down.
        let _ = self.ways.leader.send(news);
    }

    fn compact_if_due(&mut self, state: &State) {
        let interval = state.cluster().map_or(0, |cluster| cluster.spec.raft.snapshot_interval);
        let grown = self.applied.0.index - self.snapshots.last;
        if interval > 0 && grown >= interval && !self.snapshots.is_under_way {
            self.snapshots.is_under_way = true;
            self.make_snapshot(Purpose::Compaction);
        }
    }

    fn compacted(&mut self, index: Index) {
        self.snapshots = Snapshots { last: index, is_under_way: false };
        let raft =
            self.book.state().cluster().map(|cluster| cluster.spec.raft.log_entries_for_slow_followers);
        self.tell(Input::Compact(index.saturating_sub(raft.unwrap_or(0))));
    }

    /// Has a snapshot made of the book as it is now, on a thread where that may take its time.
    fn make_snapshot(&self, purpose: Purpose) {
        let (state, group) = (self.book.state(), self.book.members().clone());
        let (Position { index, term }, members) = self.applied.clone();
        let orders = self.ways.orders.clone();
        tokio::task::spawn_blocking(move || {
            let data = book::snapshot_bytes(&state, &group).into();
            let snapshot = Snapshot { index, term, members: (*members).clone(), data };
            // On the way down nobody needs it any more.
            let _ = orders.blocking_send(Order::Snapshot(snapshot, purpose));
        });
    }
}

/// The pump is at its end.
struct Ended;

impl Proposals {
    /// Takes out what waits for this entry: its changes, if they are known. Those that are whole with it are noted.
    fn take(&mut self, entry: &Entry, completed: &mut Vec<Option<u64>>) -> Option<Vec<Change>> {
        let (term, waiter) = self.accepted.remove(&entry.index)?;
        if term != entry.term {
            return None;
        }
        match waiter {
            Waiter::Proposal(Part { changes, completes }) => {
                completed.extend(completes.map(Some));
                Some(changes)
            }
            Waiter::Change(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(Ok(()));
                None
            }
        }
    }
}

/// Encodes changes, and halves them until each part fits into an entry.
fn split(changes: Vec<Change>, parts: &mut Vec<(Vec<u8>, Vec<Change>)>) {
    let data = wire::entry_to_bytes(entry_id(), &changes);
    if data.len() <= model::limits::ENTRY_BYTES_MAX || changes.len() < 2 {
        parts.push((data, changes));
        return;
    }
    let mut first = changes;
    let second = first.split_off(first.len() / 2);
    split(first, parts);
    split(second, parts);
}

/// A number that no other entry has: the time in milliseconds, and a little counter, as stock managers make it.
fn entry_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let millis = clock::now().nanos() as u64 / 1_000_000;
    (millis & 0xFF_FFFF_FFFF) << 8 | COUNTER.fetch_add(1, Ordering::Relaxed) & 0xFF
}
