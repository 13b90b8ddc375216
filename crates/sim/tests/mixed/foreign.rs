//! A replica of the `raft` crate, which hears and wishes what ours does.
//!
//! It writes before it does anything else, one write at a time; what it hears meanwhile waits. Its patience is set
//! from our chance, for its own is not repeatable.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use model::{Chance, Duration, Machine, Timestamp};
use raft::{
    Commit, ConfChangeKind, ConfState, Config, Entry, HardState, Index, Input, Lead, Output, Payload,
    Persist, Position, Refused, SnapshotOutcome, Stored, Term,
};
use raft_rs::eraftpb as theirs;
use raft_rs::storage::MemStorage;
use raft_rs::{
    GetEntriesContext, RaftState, RawNode, Ready, SnapshotStatus, StateRole, Storage, StorageError,
};

use crate::letters::{
    change_to, entry_from, entry_to, group_from, group_to, message_from, message_to, snapshot_from,
    snapshot_to,
};

/// The other replica.
pub(crate) struct Foreign {
    raw: RawNode<Store>,
    tick: Duration,
    election_ticks: usize,
    next_tick: Timestamp,
    /// A number that no earlier life had.
    life: u64,
    writing: Option<(u64, Ready)>,
    waiting: VecDeque<Input>,
    written: u64,
    members: Arc<ConfState>,
    applied: Index,
    /// Its present reign, and the first entry of it.
    reign: (Term, Index),
    announced: Lead,
    out: Vec<Output>,
}

/// So many ticks are made up for at most when it is woken late.
const TICKS_MAX: u32 = 100;

impl Foreign {
    pub(crate) fn new(config: &Config, stored: &Stored, mut chance: Chance, now: Timestamp) -> Self {
        let store = Store::of(stored);
        let group = stored.snapshot.as_ref().map(|snapshot| snapshot.members.clone()).unwrap_or_default();
        let applied = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        let election_ticks = config.election_ticks as usize;
        let theirs = raft_rs::Config {
            id: config.id,
            election_tick: election_ticks,
            heartbeat_tick: config.heartbeat_ticks as usize,
            min_election_tick: election_ticks,
            max_election_tick: election_ticks * 2,
            applied,
            max_size_per_msg: config.message_bytes_max as u64,
            max_inflight_msgs: config.inflight_max,
            check_quorum: config.check_quorum,
            pre_vote: config.pre_vote,
            ..raft_rs::Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&theirs, store, &logger).expect("what was stored can be used");
        let term = stored.hard_state.term;
        Self {
            raw,
            life: chance.number(),
            tick: config.tick,
            election_ticks,
            next_tick: now + config.tick,
            writing: None,
            waiting: VecDeque::new(),
            written: 0,
            members: Arc::new(group),
            applied,
            reign: (0, 0),
            announced: Lead::Nobody { term },
            out: Vec::new(),
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message(message) => drop(self.raw.step(message_to(&message))),
            Input::Propose { ticket, data } => match self.leads() && self.may_propose() {
                true if self.raw.propose(Vec::new(), data.to_vec()).is_ok() => self.accepted(ticket),
                _ => self.refuse(ticket, Refused::NotLeader),
            },
            Input::Membership { ticket, change } => {
                let takes_last =
                    change.kind == ConfChangeKind::Remove && self.members.voters == [change.replica];
                if !self.leads() || !self.may_propose() || takes_last {
                    self.refuse(ticket, Refused::NotLeader);
                } else if self.raw.raft.has_pending_conf() {
                    self.refuse(ticket, Refused::ChangePending);
                } else if self.raw.propose_conf_change(Vec::new(), change_to(&change)).is_ok() {
                    self.accepted(ticket);
                } else {
                    self.refuse(ticket, Refused::NotLeader);
                }
            }
            Input::Read { ticket } if self.raw.raft.leader_id != 0 => {
                self.raw.read_index([self.life, ticket].map(u64::to_be_bytes).concat());
            }
            Input::Read { ticket } => self.refuse(ticket, Refused::NotLeader),
            Input::TransferLeader(to) => self.raw.transfer_leader(to),
            Input::Snapshot(snapshot) => *self.raw.store().fresh.borrow_mut() = Some(snapshot_to(&snapshot)),
            Input::Compact(index) => self.raw.store().compact(index.min(self.applied)),
            Input::Unreachable(id) => self.raw.report_unreachable(id),
            Input::SnapshotSent { to, outcome } => {
                let status = match outcome {
                    SnapshotOutcome::Delivered => SnapshotStatus::Finish,
                    SnapshotOutcome::Failed => SnapshotStatus::Failure,
                };
                self.raw.report_snapshot(to, status);
            }
            Input::Persisted(_) | Input::Wake => {}
        }
    }

    /// Lets the time pass that has passed.
    fn pass(&mut self, now: Timestamp) {
        let mut ticks = 0;
        while self.next_tick <= now {
            self.next_tick = self.next_tick + self.tick;
            ticks += 1;
            if ticks <= TICKS_MAX && self.writing.is_none() {
                self.raw.tick();
                self.set_patience();
            }
        }
        let is_alone =
            self.raw.raft.state == StateRole::Follower && self.members.voters == [self.raw.raft.id];
        if is_alone && self.writing.is_none() {
            drop(self.raw.campaign());
        }
    }

    /// Sets its patience: another one in each reign and in each life.
    fn set_patience(&mut self) {
        let more = Chance::from_number(self.life ^ self.raw.raft.term).below(self.election_ticks as u64);
        self.raw.raft.set_randomized_election_timeout(self.election_ticks + more as usize);
    }

    /// Goes on as far as it can without a write.
    fn go_on(&mut self) {
        self.set_patience();
        while self.writing.is_none() && self.raw.has_ready() {
            let mut ready = self.raw.ready();
            self.note_reign();
            self.send(ready.take_messages());
            let writes = ready.hs().is_some() || !ready.entries().is_empty() || !ready.snapshot().is_empty();
            if writes {
                self.begin_write(ready);
            } else {
                self.end_write(ready);
            }
        }
        if self.raw.store().is_wanted.take() {
            self.out.push(Output::SnapshotWanted);
        }
        self.announce();
    }

    fn begin_write(&mut self, ready: Ready) {
        let theirs::HardState { term, vote, commit, .. } =
            ready.hs().cloned().unwrap_or_else(|| self.raw.store().hard_state());
        self.written += 1;
        self.out.push(Output::Persist(Persist {
            number: self.written,
            hard_state: HardState { term, vote, commit },
            snapshot: (!ready.snapshot().is_empty()).then(|| snapshot_from(ready.snapshot())),
            entries: ready.entries().iter().map(entry_from).collect(),
        }));
        self.writing = Some((self.written, ready));
    }

    fn end_write(&mut self, mut ready: Ready) {
        if !ready.snapshot().is_empty() {
            let snapshot = ready.snapshot().clone();
            self.raw.store().replace(&snapshot);
            let snapshot = snapshot_from(&snapshot);
            self.members = Arc::new(snapshot.members.clone());
            self.applied = snapshot.index;
            self.out.push(Output::Restore(snapshot));
        }
        self.raw.store().append(ready.entries());
        if let Some(state) = ready.hs() {
            self.raw.store().promise(state.clone());
        }
        self.send(ready.take_persisted_messages());
        self.know(ready.take_read_states());
        self.commit(ready.take_committed_entries());
        let mut light = self.raw.advance_append(ready);
        if let Some(commit) = light.commit_index() {
            self.raw.store().commit(commit);
        }
        self.note_reign();
        self.send(light.take_messages());
        self.commit(light.take_committed_entries());
        self.raw.advance_apply_to(self.applied);
    }

    fn send(&mut self, messages: Vec<theirs::Message>) {
        self.out.extend(messages.iter().filter_map(message_from).map(Output::Send));
    }

    fn know(&mut self, states: Vec<raft_rs::ReadState>) {
        for state in states {
            let (life, ticket) = state.request_ctx.split_at(8);
            if life == self.life.to_be_bytes() {
                let ticket = u64::from_be_bytes(ticket.try_into().expect("a ticket follows the life"));
                self.out.push(Output::Readable { ticket, index: state.index });
            }
        }
    }

    fn commit(&mut self, entries: Vec<theirs::Entry>) {
        let Some(last) = entries.last() else { return };
        if !self.leads() {
            self.announce();
        }
        self.applied = last.index;
        let entries: Vec<Entry> = entries.iter().map(entry_from).collect();
        for entry in &entries {
            if let Payload::Change(change) = &entry.payload {
                let group = self.raw.apply_conf_change(&change_to(change)).expect("the change is lawful");
                self.raw.store().regroup(group.clone());
                self.members = Arc::new(group_from(&group));
            }
        }
        self.out.push(Output::Commit(Commit { entries, members: Arc::clone(&self.members) }));
    }

    fn leads(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    fn may_propose(&self) -> bool {
        self.raw.raft.lead_transferee.is_none()
    }

    /// Notes its first entry when a reign begins.
    fn note_reign(&mut self) {
        let term = self.raw.raft.term;
        if self.leads() && self.reign.0 != term {
            self.reign = (term, self.raw.raft.raft_log.last_index());
        }
    }

    fn announce(&mut self) {
        let term = self.raw.raft.term;
        let lead = match (self.leads(), self.raw.raft.leader_id) {
            (true, _) if self.reign.1 <= self.applied && self.may_propose() => Lead::Established { term },
            (true, _) => Lead::Elected { term },
            (false, 0) => Lead::Nobody { term },
            (false, leader) => Lead::Other { leader, term },
        };
        if lead != self.announced {
            self.announced = lead;
            self.out.push(Output::Lead(lead));
        }
    }

    fn accepted(&mut self, ticket: u64) {
        let at = Position { index: self.raw.raft.raft_log.last_index(), term: self.raw.raft.term };
        self.out.push(Output::Accepted { ticket, at });
    }

    fn refuse(&mut self, ticket: u64, why: Refused) {
        self.out.push(Output::Refused { ticket, why });
    }
}

impl Machine for Foreign {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        match input {
            Input::Persisted(number) => {
                if let Some((_, ready)) = self.writing.take_if(|(writing, _)| *writing == number) {
                    self.end_write(ready);
                }
            }
            input => self.waiting.push_back(input),
        }
        self.pass(now);
        self.go_on();
        while self.writing.is_none() {
            let Some(input) = self.waiting.pop_front() else { break };
            self.take(input);
            self.note_reign();
            self.go_on();
        }
        std::mem::take(&mut self.out)
    }

    fn wake_at(&self) -> Option<Timestamp> {
        Some(self.next_tick)
    }
}

/// Its log in memory, and a snapshot when one is wanted.
struct Store {
    log: MemStorage,
    fresh: RefCell<Option<theirs::Snapshot>>,
    is_wanted: Cell<bool>,
}

impl Store {
    fn of(stored: &Stored) -> Self {
        let store = Self { log: MemStorage::new(), fresh: RefCell::default(), is_wanted: Cell::default() };
        if let Some(snapshot) = &stored.snapshot {
            store.replace(&snapshot_to(snapshot));
            store.regroup(group_to(&snapshot.members));
        }
        let entries: Vec<_> = stored.entries.iter().map(entry_to).collect();
        store.append(&entries);
        let HardState { term, vote, commit } = stored.hard_state;
        let base = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        let last = stored.entries.last().map_or(base, |entry| entry.index);
        let commit = commit.clamp(base, last);
        store.promise(theirs::HardState { term, vote, commit, ..theirs::HardState::default() });
        store
    }

    fn append(&self, entries: &[theirs::Entry]) {
        self.log.wl().append(entries).expect("a log has no gaps");
    }

    fn replace(&self, snapshot: &theirs::Snapshot) {
        self.log.wl().apply_snapshot(snapshot.clone()).expect("a snapshot is never older than the log");
    }

    fn promise(&self, state: theirs::HardState) {
        self.log.wl().set_hardstate(state);
    }

    fn commit(&self, index: Index) {
        self.log.wl().mut_hard_state().commit = index;
    }

    fn regroup(&self, group: theirs::ConfState) {
        self.log.wl().set_conf_state(group);
    }

    fn hard_state(&self) -> theirs::HardState {
        self.log.rl().hard_state().clone()
    }

    fn compact(&self, index: Index) {
        let last = self.log.last_index().expect("memory never fails");
        self.log.wl().compact(index.min(last)).expect("memory never fails");
    }
}

impl Storage for Store {
    fn initial_state(&self) -> raft_rs::Result<RaftState> {
        self.log.initial_state()
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft_rs::Result<Vec<theirs::Entry>> {
        self.log.entries(low, high, max_size, context)
    }

    fn term(&self, index: u64) -> raft_rs::Result<u64> {
        self.log.term(index)
    }

    fn first_index(&self) -> raft_rs::Result<u64> {
        self.log.first_index()
    }

    fn last_index(&self) -> raft_rs::Result<u64> {
        self.log.last_index()
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft_rs::Result<theirs::Snapshot> {
        let first = self.log.first_index()?;
        let fresh = self.fresh.borrow_mut().take();
        let serves = |it: &theirs::Snapshot| it.get_metadata().index + 1 >= first.max(request_index);
        fresh.filter(serves).ok_or_else(|| {
            self.is_wanted.set(true);
            raft_rs::Error::Store(StorageError::SnapshotTemporarilyUnavailable)
        })
    }
}
