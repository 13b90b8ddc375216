//! The machine itself: it only dispatches to the files beside it.
//!
//! In: [`Input`]. Out: [`Output`], in lawful order (see `output`). Each file beside it holds one idea of Raft
//! and adds its verbs to [`Replica`]; what they share is here. It decides nothing alone.

use std::sync::Arc;

use model::{Chance, Duration, Machine, Timestamp};

use crate::election::{Role, Timers};
use crate::entry::{
    Bytes, ConfChange, ConfState, HardState, Index, Payload, ReplicaId, Snapshot, Stored, Term,
};
use crate::lease::Lease;
use crate::log::Log;
use crate::message::{Body, Message};
use crate::output::{Commit, Lead, Outbox, Output, Refused, Ticket};

/// What a replica may hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Another replica said something.
    Message(Message),
    /// Someone wants this in the log. Answered by `Accepted` or `Refused`.
    Propose {
        /// The asker's number.
        ticket: Ticket,
        /// What to put there.
        data: Bytes,
    },
    /// Someone wants the group changed. Answered by `Accepted` or `Refused`.
    Membership {
        /// The asker's number.
        ticket: Ticket,
        /// How.
        change: ConfChange,
    },
    /// The `Persist` of this number, and so each before it, is safe on disk.
    Persisted(u64),
    /// Someone wants to read what is true now. Answered by `Readable` or `Refused`.
    Read {
        /// The asker's number.
        ticket: Ticket,
    },
    /// This replica shall lead instead of the present leader.
    TransferLeader(ReplicaId),
    /// A snapshot of the book as applied, as `SnapshotWanted` asked for.
    Snapshot(Snapshot),
    /// A stored snapshot contains everything up to here; the entries up to here need not be kept.
    Compact(Index),
    /// A message to this replica could not be delivered.
    Unreachable(ReplicaId),
    /// How sending a snapshot to this replica ended.
    SnapshotSent {
        /// To whom it was sent.
        to: ReplicaId,
        /// How it ended.
        outcome: SnapshotOutcome,
    },
    /// The time it asked for has come.
    Wake,
}

/// How sending a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// All of it was handed over.
    Delivered,
    /// Not all of it.
    Failed,
}

/// How a replica behaves. All replicas of a group should agree on the durations.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which replica this is.
    pub id: ReplicaId,
    /// The unit of the two below.
    pub tick: Duration,
    /// Ticks between heartbeats.
    pub heartbeat_ticks: u32,
    /// Ticks without a leader until an election; up to twice as long by chance.
    pub election_ticks: u32,
    /// Ask before an election whether it could be won. SwarmKit does not.
    pub pre_vote: bool,
    /// A leader that no longer hears a majority steps down, and voters who hear their leader ignore candidates.
    pub check_quorum: bool,
    /// Bytes of entries in one message, unless a single entry is larger.
    pub message_bytes_max: usize,
    /// Messages with entries that may be on their way to one follower.
    pub inflight_max: usize,
    /// Applied entries kept in memory for followers that are a little behind.
    pub tail_entries: u64,
}

impl Config {
    /// What a group of our own replicas runs by: another leads soon after one fell.
    ///
    /// A follower's patience ends 400 to 800 ms after it last heard its leader, which three lost heartbeats do not
    /// exhaust; the first of two survivors loses it within 715 ms in 95 of 100 falls. Since it asks before it
    /// forces an election, one that was only slow itself disturbs nobody. All replicas understand the question,
    /// stock ones too, though they never ask it.
    pub fn quick(id: ReplicaId) -> Self {
        Self { tick: Duration::from_millis(100), election_ticks: 4, pre_vote: true, ..Self::new(id) }
    }

    /// How long patience lasts at least.
    pub(crate) fn election_timeout(&self) -> Duration {
        self.tick * self.election_ticks
    }

    /// SwarmKit's behaviour (`raft.md` section 1).
    pub fn new(id: ReplicaId) -> Self {
        Self {
            id,
            tick: Duration::from_secs(1),
            heartbeat_ticks: 1,
            election_ticks: 10,
            pre_vote: false,
            check_quorum: true,
            message_bytes_max: 65_535,
            inflight_max: 256,
            tail_entries: 500,
        }
    }
}

/// One replica of a group that agrees on the order of changes.
#[derive(Debug)]
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) chance: Chance,
    /// A number that no earlier life of this replica had.
    pub(crate) life: u64,
    /// The time of the input at hand.
    pub(crate) now: Timestamp,
    pub(crate) timers: Timers,
    pub(crate) term: Term,
    pub(crate) vote: ReplicaId,
    pub(crate) role: Role,
    pub(crate) leader: Option<ReplicaId>,
    pub(crate) lease: Lease,
    pub(crate) members: Arc<ConfState>,
    pub(crate) log: Log,
    pub(crate) out: Outbox,
    /// The promises that are on disk or on their way there.
    promised: HardState,
    /// What was last said about who leads.
    announced: Lead,
}

impl Machine for Replica {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.now = now;
        match input {
            Input::Message(message) => self.hear(message),
            Input::Propose { ticket, data } => self.propose(ticket, Payload::Data(data)),
            Input::Membership { ticket, change } => self.propose_change(ticket, change),
            Input::Persisted(number) => self.persisted(number),
            Input::Read { ticket } => self.read(ticket),
            Input::TransferLeader(to) => self.transfer_leader(to),
            Input::Snapshot(snapshot) => self.snapshot_made(&snapshot),
            Input::Compact(index) => self.log.forget(index),
            Input::Unreachable(id) => self.unreachable(id),
            Input::SnapshotSent { to, outcome } => self.snapshot_sent(to, outcome),
            Input::Wake => self.wake(),
        }
        self.settle();
        self.out.take()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.next_timer()
    }
}

impl Replica {
    /// A replica as it was stored. It says nothing until its first input; wake it at once.
    pub fn new(config: Config, stored: &Stored, mut chance: Chance, now: Timestamp) -> Self {
        let HardState { term, vote, commit: _ } = stored.hard_state;
        let members = stored.snapshot.as_ref().map(|snapshot| snapshot.members.clone()).unwrap_or_default();
        let bound = config.election_timeout();
        Self {
            config,
            life: chance.number(),
            chance,
            now,
            timers: Timers::at(now, bound),
            term,
            vote,
            role: Role::Follower,
            leader: None,
            lease: Lease::default(),
            members: Arc::new(members),
            log: Log::new(stored),
            out: Outbox::default(),
            promised: stored.hard_state,
            announced: Lead::Nobody { term },
        }
    }

    /// Which replica this is.
    pub fn id(&self) -> ReplicaId {
        self.config.id
    }

    /// The group, as of the last entry handed out.
    pub fn members(&self) -> &Arc<ConfState> {
        &self.members
    }

    /// Up to where entries stand for ever.
    pub fn commit_index(&self) -> Index {
        self.log.committed()
    }

    /// Who leads, as far as this replica knows.
    pub fn lead(&self) -> Lead {
        let term = self.term;
        match (&self.role, self.leader) {
            (Role::Leader(reign), _) if reign.begins <= self.log.applied() && reign.transfer.is_none() => {
                Lead::Established { term }
            }
            (Role::Leader(_), _) => Lead::Elected { term },
            (_, Some(leader)) => Lead::Other { leader, term },
            (_, None) => Lead::Nobody { term },
        }
    }

    fn hear(&mut self, message: Message) {
        let Message { from, to, term: _, ref body } = message;
        if to != self.config.id || from == self.config.id || !message.is_plausible() {
            return;
        }
        let is_timeless = matches!(body, Body::TransferLeader | Body::ReadIndex { .. });
        if !is_timeless && !self.term_allows(&message) {
            return;
        }
        match message.body {
            Body::Append { previous, entries, commit } => self.on_append(from, previous, entries, commit),
            Body::Appended { index } => self.on_appended(from, index),
            Body::AppendRejected { index, hint } => self.on_append_rejected(from, index, hint),
            Body::Vote { ballot, last, by_transfer: _ } => self.on_vote(from, message.term, ballot, last),
            Body::Voted { ballot, granted } => self.on_voted(from, ballot, granted),
            Body::Snapshot(snapshot) => self.on_snapshot(from, snapshot),
            Body::Heartbeat { commit, context } => self.on_heartbeat(from, commit, context),
            Body::HeartbeatHeard { context } => self.on_heartbeat_heard(from, &context),
            Body::TransferLeader => self.transfer_leader(from),
            Body::TimeoutNow => self.on_timeout_now(),
            Body::ReadIndex { context } => self.on_read_index(from, context),
            Body::ReadIndexKnown { index, context } => self.on_read_index_known(index, &context),
        }
    }

    fn persisted(&mut self, number: u64) {
        let Some(writing) = self.out.written(number) else { return };
        if let Some(last) = writing.last {
            self.log.stable_to(last);
        }
        if let Some(snapshot) = writing.snapshot.and_then(|index| self.log.snapshot_stable(index)) {
            self.out.wish(Output::Restore(snapshot));
        }
        self.own_vote_stored(writing.hard_state);
    }

    /// Draws the conclusions from whatever was heard, once per input.
    fn settle(&mut self) {
        self.advance_commit();
        self.announce_loss();
        while self.apply_committed() {} // A change of the group may let more stand.
        self.announce();
        self.trim();
        self.write();
    }

    /// Says that leadership was lost before more is applied, so that nobody takes a stranger's entry for his own.
    fn announce_loss(&mut self) {
        if !matches!(self.lead(), Lead::Established { .. }) {
            self.announce();
        }
    }

    fn announce(&mut self) {
        let lead = self.lead();
        if lead != self.announced {
            self.announced = lead;
            self.out.wish(Output::Lead(lead));
        }
    }

    fn apply_committed(&mut self) -> bool {
        let entries = self.log.take_applicable();
        if entries.is_empty() {
            return false;
        }
        let changes: Vec<ConfChange> = entries
            .iter()
            .filter_map(|entry| match &entry.payload {
                Payload::Change(change) => Some(change.clone()),
                Payload::Nothing | Payload::Data(_) => None,
            })
            .collect();
        let members = changes.iter().fold((*self.members).clone(), |members, change| members.after(change));
        self.out.wish(Output::Commit(Commit { entries, members: Arc::new(members) }));
        for change in &changes {
            self.apply_change(change);
        }
        self.campaign_if_alone();
        true
    }

    fn write(&mut self) {
        let hard_state = HardState { term: self.term, vote: self.vote, commit: self.log.committed() };
        let promises = |state: HardState| (state.term, state.vote);
        let log_is_safe = match self.out.writing() {
            Some(writing) => self.log.is_stable_after(writing.snapshot, writing.last),
            None => self.log.is_stable_after(None, None),
        };
        if log_is_safe && promises(hard_state) == promises(self.promised) {
            self.out.nothing_to_write();
        } else if self.out.writing().is_none() {
            let (snapshot, entries) = self.log.unstable();
            let snapshot = snapshot.cloned();
            self.promised = hard_state;
            self.out.write(hard_state, snapshot, entries);
        }
    }

    /// Forgets entries that nobody here needs any more; a follower who does gets a snapshot.
    fn trim(&mut self) {
        let needed = match &self.role {
            Role::Leader(reign) => reign.progress.values().map(|progress| progress.matched).min(),
            Role::Follower | Role::Candidate { .. } => None,
        };
        self.log.trim(needed.unwrap_or(Index::MAX), self.config.tail_entries);
    }

    /// Answers that something cannot be done.
    pub(crate) fn refuse(&mut self, ticket: Ticket, why: Refused) {
        self.out.wish(Output::Refused { ticket, why });
    }

    /// Says something to another replica, in the present reign.
    pub(crate) fn say(&mut self, to: ReplicaId, body: Body) {
        let message = Message { from: self.config.id, to, term: self.term, body };
        self.out.send(message);
    }
}
