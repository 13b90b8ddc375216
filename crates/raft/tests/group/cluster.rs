//! A group of replicas with pretended disks and a pretended network, driven by a seed.
//!
//! In: replicas, and what happens to them. Out: what each has applied; broken invariants panic with the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Chance, Duration, Machine, Timestamp};
use skep_raft::{
    Body, ConfChange, ConfChangeKind, Config, Entry, Index, Input, Lead, Message, Output, Payload, Persist,
    Replica, ReplicaId, Snapshot, SnapshotOutcome, Stored, Term,
};

/// What may go wrong.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Messages lost, of a thousand.
    pub(crate) loss: u64,
    /// Messages delivered twice, of a thousand.
    pub(crate) echo: u64,
    /// The longest time on the way, in milliseconds.
    pub(crate) delay: u64,
}

/// One replica, its disk, and what it has applied.
pub(crate) struct Node {
    pub(crate) replica: Option<Replica>,
    pub(crate) disk: Stored,
    pub(crate) applied: Vec<Entry>,
    pub(crate) lead: Option<Lead>,
    pub(crate) answers: Vec<Output>,
    pub(crate) persists: u64,
    snapshot_wanted: u64,
    /// Writes of an earlier life never end.
    life: u64,
}

enum Event {
    Deliver(Message),
    Written { node: ReplicaId, life: u64, persist: Box<Persist> },
    Wake { node: ReplicaId, life: u64 },
}

/// The group, and the world around it.
pub(crate) struct Cluster {
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
    pub(crate) nodes: BTreeMap<ReplicaId, Node>,
    pub(crate) weather: Weather,
    pub(crate) chance: Chance,
    pub(crate) cut: BTreeSet<(ReplicaId, ReplicaId)>,
    pub(crate) pre_vote: bool,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    sequence: u64,
    /// What was ever applied anywhere, by place.
    pub(crate) truth: Vec<Entry>,
    /// How much of it there was when somebody asked to read, by ticket.
    asked: BTreeMap<u64, Index>,
    leaders: BTreeMap<Term, ReplicaId>,
}

impl Cluster {
    /// A group founded by replica 1, alone.
    pub(crate) fn found(seed: u64) -> Self {
        let mut cluster = Self {
            seed,
            now: Timestamp::from_parts(1_000, 0),
            nodes: BTreeMap::new(),
            weather: Weather { delay: 5, ..Weather::default() },
            chance: Chance::from_number(seed),
            cut: BTreeSet::new(),
            pre_vote: false,
            agenda: BTreeMap::new(),
            sequence: 0,
            truth: Vec::new(),
            asked: BTreeMap::new(),
            leaders: BTreeMap::new(),
        };
        cluster.add_node(1, Stored::founding(1, Arc::from(&b"one"[..])));
        cluster
    }

    /// A group of so many, all of them up to date.
    pub(crate) fn of(size: u64, seed: u64) -> Self {
        let mut cluster = Self::found(seed);
        cluster.run(1_000);
        for id in 2..=size {
            cluster.join(id);
        }
        cluster
    }

    /// Adds an empty replica to the group and waits until it has caught up.
    pub(crate) fn join(&mut self, id: ReplicaId) {
        self.add_node(id, Stored::default());
        self.change(ConfChangeKind::Add, id);
        let is_in = |cluster: &Self| {
            let leader = cluster.leader().and_then(|leader| cluster.nodes[&leader].replica.as_ref());
            leader.is_some_and(|leader| {
                leader.members().is_voter(id) && leader.commit_index() == cluster.known(id)
            })
        };
        assert!(self.run_until(60_000, is_in), "seed {}: {id} never joined", self.seed);
    }

    /// Proposes a change of the group to whoever leads.
    pub(crate) fn change(&mut self, kind: ConfChangeKind, replica: ReplicaId) {
        let change = ConfChange { id: 0, kind, replica, context: Arc::from(&b"addr"[..]) };
        if let Some(leader) = self.leader() {
            self.input(leader, Input::Membership { ticket: 0, change });
        }
    }

    /// Proposes something to a replica.
    pub(crate) fn propose(&mut self, node: ReplicaId, ticket: u64) {
        let data = Arc::from(format!("{ticket}").into_bytes());
        self.input(node, Input::Propose { ticket, data });
    }

    /// Somebody wants to read there what is true now. The answer must not lack what was applied anywhere by then.
    pub(crate) fn read(&mut self, node: ReplicaId, ticket: u64) {
        self.asked.insert(ticket, self.truth.len() as Index);
        self.input(node, Input::Read { ticket });
    }

    /// Cuts a leader off until it may no longer rely on what was promised, but still takes itself for one.
    pub(crate) fn trust_ends(&mut self, leader: ReplicaId) {
        self.split(&[leader]);
        self.run(9_000);
    }

    /// The one that is established and heard by a majority, as far as can be seen from above.
    pub(crate) fn leader(&self) -> Option<ReplicaId> {
        let leads = |node: &Node| match node.replica.as_ref()?.lead() {
            Lead::Established { term } => Some(term),
            _ => None,
        };
        self.nodes.iter().filter_map(|(id, node)| Some((leads(node)?, *id))).max().map(|(_, id)| id)
    }

    /// Up to where a replica has applied.
    pub(crate) fn known(&self, id: ReplicaId) -> Index {
        self.nodes[&id].applied.last().map_or(0, |entry| entry.index)
    }

    /// Ends a replica without warning; a write under way may or may not have reached the disk.
    pub(crate) fn crash(&mut self, id: ReplicaId) {
        let node = self.nodes.get_mut(&id).expect("known");
        node.replica = None;
        node.lead = None;
        node.life += 1;
        let lost_life = node.life - 1;
        let write = self.agenda.iter().find_map(|(key, event)| match event {
            Event::Written { node, life, .. } if *node == id && *life == lost_life => Some(*key),
            _ => None,
        });
        if let Some(key) = write
            && let Some(Event::Written { persist, .. }) = self.agenda.remove(&key)
            && self.chance.one_in(1, 2)
        {
            store(&mut self.nodes.get_mut(&id).expect("known").disk, &persist);
        }
    }

    /// Starts a replica again from its disk.
    pub(crate) fn restart(&mut self, id: ReplicaId) {
        let disk = self.nodes[&id].disk.clone();
        let config = self.config(id);
        let chance = Chance::from_number(self.chance.number());
        let node = self.nodes.get_mut(&id).expect("known");
        node.applied = book(disk.snapshot.as_ref());
        node.replica = Some(Replica::new(config, &disk, chance, self.now));
        let life = node.life;
        self.at(self.now, Event::Wake { node: id, life });
    }

    /// Cuts every line between the two sides.
    pub(crate) fn split(&mut self, side: &[ReplicaId]) {
        let others: Vec<_> = self.nodes.keys().copied().filter(|id| !side.contains(id)).collect();
        for a in side {
            for b in &others {
                self.cut.extend([(*a, *b), (*b, *a)]);
            }
        }
    }

    /// Lets so many milliseconds pass.
    pub(crate) fn run(&mut self, millis: u64) {
        self.run_until(millis, |_| false);
    }

    /// Lets time pass until something holds; whether it does in time.
    pub(crate) fn run_until(&mut self, millis: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_millis(millis);
        while !holds(self) {
            match self.agenda.first_key_value() {
                Some(((at, _), _)) if *at <= end => self.step(),
                _ => {
                    self.now = end;
                    return holds(self);
                }
            }
        }
        true
    }

    /// Hands something to a replica and carries out what it wishes.
    pub(crate) fn input(&mut self, id: ReplicaId, input: Input) {
        let now = self.now;
        let Some(replica) = self.nodes.get_mut(&id).and_then(|node| node.replica.as_mut()) else { return };
        let outputs = replica.handle(now, input);
        let wake = replica.wake_at();
        for output in outputs {
            self.carry_out(id, output);
        }
        if let (Some(at), life) = (wake, self.nodes[&id].life) {
            self.at(at.max(now), Event::Wake { node: id, life });
        }
        while self.nodes[&id].snapshot_wanted > 0 {
            self.nodes.get_mut(&id).expect("known").snapshot_wanted -= 1;
            let snapshot = self.snapshot_of(id);
            self.input(id, Input::Snapshot(snapshot));
        }
    }

    /// A snapshot of what a replica has applied.
    pub(crate) fn snapshot_of(&self, id: ReplicaId) -> Snapshot {
        let node = &self.nodes[&id];
        let last = node.applied.last().expect("something was applied");
        let members = node.replica.as_ref().expect("runs").members();
        let data = last.index.to_be_bytes().to_vec();
        Snapshot { index: last.index, term: last.term, members: (**members).clone(), data: Arc::from(data) }
    }

    /// Stores a snapshot and lets the replica forget what is in it.
    pub(crate) fn compact(&mut self, id: ReplicaId) {
        if self.known(id) == 0 || self.nodes[&id].replica.is_none() {
            return;
        }
        let snapshot = self.snapshot_of(id);
        let index = snapshot.index;
        let disk = &mut self.nodes.get_mut(&id).expect("known").disk;
        if disk.entries.first().is_some_and(|entry| entry.index <= index) {
            disk.entries.retain(|entry| entry.index > index);
            disk.snapshot = Some(snapshot);
            disk.hard_state.commit = disk.hard_state.commit.max(index);
            self.input(id, Input::Compact(index));
        }
    }

    fn add_node(&mut self, id: ReplicaId, disk: Stored) {
        let node = Node {
            replica: None,
            disk,
            applied: Vec::new(),
            lead: None,
            answers: Vec::new(),
            persists: 0,
            snapshot_wanted: 0,
            life: 0,
        };
        self.nodes.insert(id, node);
        self.restart(id);
    }

    fn config(&self, id: ReplicaId) -> Config {
        let mut config = Config::new(id);
        config.pre_vote = self.pre_vote;
        config.message_bytes_max = 200;
        config.inflight_max = 4;
        config.tail_entries = 3;
        config
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), event);
    }

    fn step(&mut self) {
        let Some(((at, _), event)) = self.agenda.pop_first() else { return };
        self.now = at;
        match event {
            Event::Deliver(message) => self.input(message.to, Input::Message(message)),
            Event::Written { node, life, persist } => {
                let target = self.nodes.get_mut(&node).expect("known");
                if target.life == life {
                    store(&mut target.disk, &persist);
                    self.input(node, Input::Persisted(persist.number));
                }
            }
            Event::Wake { node, life } => {
                let target = &self.nodes[&node];
                let is_due = |replica: &Replica| replica.wake_at().is_some_and(|due| due <= at);
                if target.life == life && target.replica.as_ref().is_some_and(is_due) {
                    self.input(node, Input::Wake);
                }
            }
        }
    }

    fn carry_out(&mut self, id: ReplicaId, output: Output) {
        let seed = self.seed;
        match output {
            Output::Persist(persist) => {
                let node = self.nodes.get_mut(&id).expect("known");
                node.persists += 1;
                let life = node.life;
                let at = self.now + Duration::from_micros(100 + self.chance.below(3_000));
                self.at(at, Event::Written { node: id, life, persist: Box::new(persist) });
            }
            Output::Send(message) => self.post(message),
            Output::Commit(commit) => {
                for entry in commit.entries {
                    self.check_applied(id, &entry);
                    self.nodes.get_mut(&id).expect("known").applied.push(entry);
                }
            }
            Output::Restore(snapshot) => {
                let node = self.nodes.get_mut(&id).expect("known");
                assert!(
                    node.applied.last().map_or(0, |entry| entry.index) < snapshot.index,
                    "seed {seed}: {id} went back"
                );
                node.applied = book(Some(&snapshot));
            }
            Output::Lead(lead) => {
                self.nodes.get_mut(&id).expect("known").lead = Some(lead);
                if let Lead::Elected { term } | Lead::Established { term } = lead {
                    let first = *self.leaders.entry(term).or_insert(id);
                    assert_eq!(first, id, "seed {seed}: two leaders in reign {term}");
                }
            }
            Output::Readable { ticket, index } => {
                let least = self.asked.get(&ticket).copied().unwrap_or(0);
                assert!(index >= least, "seed {seed}: {id} shows up to {index}, but {least} was known");
                self.nodes.get_mut(&id).expect("known").answers.push(output);
            }
            Output::SnapshotWanted => self.nodes.get_mut(&id).expect("known").snapshot_wanted += 1,
            other => self.nodes.get_mut(&id).expect("known").answers.push(other),
        }
    }

    fn check_applied(&mut self, id: ReplicaId, entry: &Entry) {
        let seed = self.seed;
        assert_eq!(entry.index, self.known(id) + 1, "seed {seed}: {id} applied out of order");
        match self.truth.get(entry.index as usize - 1) {
            Some(truth) => assert_eq!(truth, entry, "seed {seed}: {id} applied something else"),
            None => {
                assert_eq!(entry.index as usize, self.truth.len() + 1, "seed {seed}: a gap");
                self.truth.push(entry.clone());
            }
        }
        let is_stored = self.nodes[&id].disk.entries.iter().any(|stored| stored == entry)
            || self.nodes[&id].disk.snapshot.as_ref().is_some_and(|snapshot| snapshot.index >= entry.index);
        assert!(is_stored, "seed {seed}: {id} applied {} before it was on disk", entry.index);
    }

    fn post(&mut self, message: Message) {
        let is_snapshot = matches!(message.body, Body::Snapshot(_));
        let is_lost =
            self.cut.contains(&(message.from, message.to)) || self.chance.one_in(self.weather.loss, 1_000);
        if is_snapshot {
            let outcome = if is_lost { SnapshotOutcome::Failed } else { SnapshotOutcome::Delivered };
            self.input(message.from, Input::SnapshotSent { to: message.to, outcome });
        }
        if is_lost {
            if self.chance.one_in(1, 2) {
                self.input(message.from, Input::Unreachable(message.to));
            }
            return;
        }
        let copies = if self.chance.one_in(self.weather.echo, 1_000) { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.now + Duration::from_micros(50 + self.chance.below(self.weather.delay * 1_000));
            self.at(at, Event::Deliver(message.clone()));
        }
    }
}

/// Writes what a replica wishes to a pretended disk.
fn store(disk: &mut Stored, persist: &Persist) {
    let Persist { number: _, hard_state, snapshot, entries } = persist.clone();
    disk.hard_state = hard_state;
    if let Some(snapshot) = snapshot {
        disk.entries.clear();
        disk.snapshot = Some(snapshot);
    }
    if let Some(first) = entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
        disk.entries.extend(entries);
    }
}

/// What a snapshot stands for: here, only its last entry's place.
fn book(snapshot: Option<&Snapshot>) -> Vec<Entry> {
    let last = |s: &Snapshot| Entry { term: s.term, index: s.index, payload: Payload::Nothing };
    snapshot.map(last).into_iter().collect()
}
