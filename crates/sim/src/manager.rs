//! One simulated manager, while its daemon runs: a real replica, its book, and a real leader while it leads.
//!
//! In: letters, questions, what was written, time. Out: [`Effect`]s. It pumps as the daemon's pumps do, and like
//! them decides nothing. Its disk and its machine belong to the world.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use control::leader::{Input as LeaderInput, Member, Ticket as AskTicket};
use model::node::{ManagerStatus, NodeRole, Reachability};
use model::{Chance, Duration, Machine, NodeId, Refusal, RefusalKind, Timestamp};
use raft::{
    Commit, ConfChange, ConfChangeKind, ConfState, Entry, Index, Input, Lead, Output, Payload, Position,
    Refused, ReplicaId, Snapshot, SnapshotOutcome, Stored, Term, Ticket,
};
use store::State;

use crate::archive::{Archive, Members, Page, context};
use crate::clock::Clock;
use crate::desk::Posted;
use crate::disk::Write;
use crate::mail::{Question, Reply, Route, not_now};
use crate::node::address;
use crate::office::{Office, Wish};
use crate::swarm::NodeNumber;
use crate::truth::{Applied, Truth};

/// What orders changes: our replica, or another that speaks with it.
pub type Orderer = dyn Machine<Input = Input, Output = Output>;

/// What a manager hears.
#[derive(Debug)]
pub enum Told {
    /// Another replica says something.
    Letter(raft::Message),
    /// Somebody asks something.
    Asked(Route, Question),
    /// The first write that waited is on the disk.
    Written(Write),
    /// A snapshot was made for followers.
    Copied(Snapshot),
    /// A letter to this replica could not be delivered.
    Lost(ReplicaId),
    /// A letter to this replica, which was lost to us, was delivered.
    Reached(ReplicaId),
    /// How sending a snapshot ended.
    Sent(ReplicaId, SnapshotOutcome),
    /// The replica of this machine shall lead.
    HandOver(NodeNumber),
    /// It may be time.
    Wake,
}

/// What a manager wants of the world.
#[derive(Debug)]
pub enum Effect {
    /// Write this.
    Write(Write),
    /// Send this letter.
    Send(raft::Message),
    /// Send this reply.
    Post(Posted),
    /// Hand this question on to the manager that leads.
    Forward(NodeNumber, Route, Question),
    /// Tell it this, so much later.
    Later(Duration, Told),
    /// It takes this replica out of the group.
    Dismisses(ReplicaId),
    /// It is no longer in the group, and ends.
    Leave,
}

/// What a manager stands on while it handles something.
#[derive(Debug)]
pub struct Ground<'a> {
    /// What its clock shows.
    pub now: Timestamp,
    /// How long it believes it has been up.
    pub uptime: Timestamp,
    /// Chance.
    pub chance: &'a mut Chance,
    /// What bytes stand for.
    pub archive: &'a mut Archive,
    /// What is true everywhere.
    pub truth: &'a mut Truth,
    /// Which node each machine is.
    pub ids: &'a [NodeId],
    /// Whether its disk is full.
    pub is_full: bool,
    /// What it wants.
    pub effects: Vec<Effect>,
}

/// One manager while its daemon runs.
pub struct Manager {
    /// Its number in the group.
    pub id: ReplicaId,
    /// Its book.
    pub book: State,
    /// Who is in the group, as far as its book goes.
    pub members: Members,
    /// Who leads, as far as it knows.
    pub lead: Lead,
    number: NodeNumber,
    replica: Box<Orderer>,
    office: Office,
    applied: (Position, Arc<ConfState>),
    /// The book in which a round without news was last seen to draft nothing.
    checked: Index,
    next_ticket: Ticket,
    offered: BTreeMap<Ticket, Waiter>,
    accepted: BTreeMap<Index, (Term, Waiter)>,
    looks: BTreeMap<Ticket, (Route, AskTicket, String)>,
    ripe: BTreeSet<(Index, Ticket)>,
    unreachable: BTreeSet<ReplicaId>,
    last_snapshot: Index,
    compacts: bool,
    todo: VecDeque<Todo>,
}

/// Who waits for an entry.
#[derive(Clone, Debug)]
enum Waiter {
    /// The leader, for its proposal.
    Proposal(u64),
    /// A machine that joins the group, and the number it will have.
    Joiner(Route, AskTicket, ReplicaId),
    /// Nobody: it was not asked for by anyone who could wait.
    Nobody,
}

/// What is still to be handed to a machine.
#[derive(Debug)]
enum Todo {
    Order(Input),
    Tell(LeaderInput),
    Established(Box<State>),
    Committed(Box<State>, Option<u64>),
    Lost,
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "manager {} on {:?}, {:?}", self.id, self.number, self.lead)
    }
}

impl Manager {
    /// A manager that starts with what is on its disk.
    pub fn start(
        (id, number): (ReplicaId, NodeNumber),
        stored: &Stored,
        replica: Box<Orderer>,
        archive: &Archive,
    ) -> Self {
        let snapshot = stored.snapshot.as_ref();
        let Page { book, members } = snapshot.map(|it| archive.page(&it.data).clone()).unwrap_or_default();
        let at = snapshot.map_or(Position::default(), |it| Position { index: it.index, term: it.term });
        let group = snapshot.map(|it| it.members.clone()).unwrap_or_default();
        Self {
            id,
            book,
            members,
            lead: Lead::Nobody { term: stored.hard_state.term },
            number,
            replica,
            office: Office::default(),
            applied: (at, Arc::new(group)),
            checked: 0,
            next_ticket: 0,
            offered: BTreeMap::new(),
            accepted: BTreeMap::new(),
            looks: BTreeMap::new(),
            ripe: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            last_snapshot: at.index,
            compacts: false,
            todo: VecDeque::new(),
        }
    }

    /// Takes something in, and all that follows from it here.
    pub fn hear(&mut self, told: Told, ground: &mut Ground<'_>) {
        self.take(told, ground);
        while let Some(todo) = self.todo.pop_front() {
            self.follow(todo, ground);
        }
        let is_quiet = self.office.is_idle() && !self.office.goes_on(ground.now);
        if ground.truth.is_watched() && self.book.index > self.checked && is_quiet {
            self.checked = self.book.index;
            self.check_quiet(ground);
        }
    }

    /// When it wants to be woken, in the world's time.
    pub fn wake_at(&self, clock: Clock) -> Option<Timestamp> {
        let replica = self.replica.wake_at().map(|at| clock.time_of_uptime(at));
        let office = self.office.wake_at().map(|at| clock.time(at));
        replica.into_iter().chain(office).min()
    }

    /// The last entry it has applied, and the group as of it.
    pub fn applied(&self) -> (Position, &ConfState) {
        (self.applied.0, &self.applied.1)
    }

    /// The members that it cannot reach, as far as it knows.
    pub fn unreachable(&self) -> &BTreeSet<ReplicaId> {
        &self.unreachable
    }

    /// Its daemon ends: everyone whose conversation ends with it.
    pub fn end(&mut self) -> Vec<Posted> {
        self.office.close()
    }

    fn take(&mut self, told: Told, ground: &mut Ground<'_>) {
        match told {
            Told::Letter(message) => self.order(Input::Message(message), ground),
            Told::Asked(route, question) => self.asked(route, question, ground),
            Told::Written(Write::Persist(persist)) => self.order(Input::Persisted(persist.number), ground),
            Told::Written(Write::Compact(snapshot)) => self.compacted(snapshot.index, ground),
            Told::Copied(snapshot) => self.order(Input::Snapshot(snapshot), ground),
            Told::Lost(id) => {
                self.order(Input::Unreachable(id), ground);
                self.reach_changed(|unreachable| unreachable.insert(id), ground);
            }
            Told::Reached(id) => self.reach_changed(|unreachable| unreachable.remove(&id), ground),
            Told::Sent(to, outcome) => self.order(Input::SnapshotSent { to, outcome }, ground),
            Told::HandOver(to) => {
                if let Some(id) = self.members.replica_of(to) {
                    self.order(Input::TransferLeader(id), ground);
                }
            }
            Told::Wake => {
                if self.replica.wake_at().is_some_and(|at| at <= ground.uptime) {
                    self.order(Input::Wake, ground);
                }
                if self.office.goes_on(ground.now) {
                    self.todo.push_back(Todo::Tell(LeaderInput::Wake));
                }
            }
        }
    }

    fn follow(&mut self, todo: Todo, ground: &mut Ground<'_>) {
        match todo {
            Todo::Order(input) => self.order(input, ground),
            Todo::Tell(input) => self.tell(input, ground),
            Todo::Established(book) => {
                let chance = Chance::from_number(ground.chance.number());
                self.office.open(&book, ground.ids[self.number.0 as usize], chance, ground.now);
                self.tell(LeaderInput::Members(self.group(ground.ids)), ground);
                self.tell(LeaderInput::Wake, ground);
            }
            Todo::Committed(book, proposal) => {
                if let Some(input) = self.office.committed(&book, proposal) {
                    self.tell(input, ground);
                }
            }
            Todo::Lost => ground.effects.extend(self.office.close().into_iter().map(Effect::Post)),
        }
    }

    /// Hands something to the replica, and carries out what it wishes, in order.
    fn order(&mut self, input: Input, ground: &mut Ground<'_>) {
        for output in self.replica.handle(ground.uptime, input) {
            match output {
                Output::Persist(persist) => ground.effects.push(Effect::Write(Write::Persist(persist))),
                Output::Send(message) => ground.effects.push(Effect::Send(message)),
                Output::Commit(commit) => self.apply(commit, ground),
                Output::Restore(snapshot) => self.restore(&snapshot, ground),
                Output::Lead(lead) => self.led_by(lead, ground),
                Output::Accepted { ticket, at } => {
                    if let Some(waiter) = self.offered.remove(&ticket) {
                        self.accepted.insert(at.index, (at.term, waiter));
                    }
                }
                Output::Refused { ticket, why } => self.refused(ticket, why, ground),
                Output::Readable { ticket, index } => {
                    self.ripe.insert((index, ticket));
                    self.show(ground);
                }
                Output::SnapshotWanted => {
                    let takes = Duration::from_millis(ground.chance.below(50));
                    let copied = Told::Copied(self.snapshot(ground));
                    ground.effects.push(Effect::Later(takes, copied));
                }
            }
        }
    }

    /// Hands something to the leader, and carries out what it wishes.
    fn tell(&mut self, input: LeaderInput, ground: &mut Ground<'_>) {
        for wish in self.office.tell(ground.now, input) {
            match wish {
                Wish::Propose(proposal, changes) => {
                    let ticket = self.ticket();
                    self.offered.insert(ticket, Waiter::Proposal(proposal));
                    let data = ground.archive.keep(changes);
                    self.todo.push_back(Todo::Order(Input::Propose { ticket, data }));
                }
                Wish::Post((route, reply)) => {
                    ground.truth.promised(&reply);
                    ground.effects.push(Effect::Post((route, reply)));
                }
                Wish::Dismiss(node) => self.dismiss(node, ground),
                Wish::HandOver(node) => {
                    let successor = self.replica_of(node, ground);
                    self.todo.extend(successor.map(|to| Todo::Order(Input::TransferLeader(to))));
                }
            }
        }
    }

    /// Takes a node out of the group.
    fn dismiss(&mut self, node: NodeId, ground: &mut Ground<'_>) {
        let Some(replica) = self.replica_of(node, ground) else { return };
        let ticket = self.ticket();
        self.offered.insert(ticket, Waiter::Nobody);
        ground.effects.push(Effect::Dismisses(replica));
        let change = ConfChange { id: 0, kind: ConfChangeKind::Remove, replica, context: Arc::from([]) };
        self.todo.push_back(Todo::Order(Input::Membership { ticket, change }));
    }

    /// The member that is this node, if it is one.
    fn replica_of(&self, node: NodeId, ground: &Ground<'_>) -> Option<ReplicaId> {
        let is_it = |(_, number): &(&ReplicaId, &NodeNumber)| ground.ids[number.0 as usize] == node;
        self.members.present.iter().find(is_it).map(|(id, _)| *id)
    }

    fn asked(&mut self, route: Route, question: Question, ground: &mut Ground<'_>) {
        match (question, self.lead) {
            (Question::Look(ask, name), _) => {
                let ticket = self.ticket();
                self.looks.insert(ticket, (route, ask, name));
                self.order(Input::Read { ticket }, ground);
            }
            (question, _) if self.office.is_open() => self.asked_as_leader(route, question, ground),
            (question, Lead::Other { leader, .. }) if route.relay.is_none() => {
                match self.members.present.get(&leader) {
                    Some(to) => {
                        let route = Route { relay: Some(self.number), ..route };
                        ground.effects.push(Effect::Forward(*to, route, question));
                    }
                    None => refuse(route, &question, "nobody knows where the leader is", ground),
                }
            }
            (question, _) => refuse(route, &question, "this manager does not lead", ground),
        }
    }

    fn asked_as_leader(&mut self, route: Route, question: Question, ground: &mut Ground<'_>) {
        match question {
            Question::Session(node, event) => {
                let input = self.office.desk.session(route, node, event);
                self.tell(input, ground);
            }
            Question::Change(..) if ground.is_full => {
                refuse(route, &question, "the disk is full", ground);
            }
            Question::Change(ticket, request) => {
                self.office.desk.wait(route, ticket);
                self.tell(LeaderInput::Ask(ticket, request), ground);
            }
            Question::Join(ticket, number) => self.join(route, ticket, number, ground),
            Question::Look(..) => {}
        }
    }

    /// Lets a machine into the group, if it shall be a manager. One that is in it already keeps its place.
    fn join(&mut self, route: Route, ask: AskTicket, number: NodeNumber, ground: &mut Ground<'_>) {
        let node = self.book.nodes.get(ground.ids[number.0 as usize]);
        let shall = node.is_some_and(|node| node.spec.desired_role == NodeRole::Manager);
        if !shall {
            return refuse(route, &Question::Join(ask, number), "this node is no manager", ground);
        }
        if let Some(id) = self.members.replica_of(number) {
            ground.effects.push(Effect::Post((route, Reply::Joined(ask, Ok(id)))));
            return;
        }
        let replica = (ground.chance.number() >> 1).max(1);
        let ticket = self.ticket();
        self.offered.insert(ticket, Waiter::Joiner(route, ask, replica));
        let change = ConfChange { id: 0, kind: ConfChangeKind::Add, replica, context: context(number) };
        self.todo.push_back(Todo::Order(Input::Membership { ticket, change }));
    }

    fn apply(&mut self, commit: Commit, ground: &mut Ground<'_>) {
        let Commit { entries, members } = commit;
        let mut completed = Vec::new();
        for entry in &entries {
            completed.extend(self.apply_entry(entry, &members, ground));
        }
        let last = entries.last().expect("a commit is never empty");
        self.applied = (Position { index: last.index, term: last.term }, members);
        if matches!(self.lead, Lead::Established { .. }) {
            let proposals = if completed.is_empty() { vec![None] } else { completed };
            for proposal in proposals {
                self.todo.push_back(Todo::Committed(Box::new(self.book.clone()), proposal));
            }
        }
        self.show(ground);
        self.compact_if_due(ground);
        if self.members.removed.contains(&self.id) {
            ground.effects.push(Effect::Leave);
        }
    }

    /// Applies an entry; returns the proposal that is in the log with it.
    fn apply_entry(
        &mut self,
        entry: &Entry,
        group: &ConfState,
        ground: &mut Ground<'_>,
    ) -> Option<Option<u64>> {
        let changes = match &entry.payload {
            Payload::Data(data) => ground.archive.changes(data),
            Payload::Nothing | Payload::Change(_) => Arc::from([]),
        };
        self.book.apply(entry.index, &changes);
        if let Payload::Change(change) = &entry.payload {
            self.members.apply(change);
            if self.office.is_open() {
                self.todo.push_back(Todo::Tell(LeaderInput::Members(self.group(ground.ids))));
            }
        }
        let groups = [&*self.applied.1, group];
        ground.truth.applied(&Applied {
            by: self.number,
            entry,
            changes: &changes,
            book: &self.book,
            groups,
        });
        match self.accepted.remove(&entry.index)? {
            (term, Waiter::Proposal(proposal)) if term == entry.term => Some(Some(proposal)),
            (term, Waiter::Joiner(route, ask, id)) => {
                let joined = if term == entry.term { Ok(id) } else { Err(not_now("another leads now")) };
                ground.effects.push(Effect::Post((route, Reply::Joined(ask, joined))));
                None
            }
            (_, Waiter::Proposal(_) | Waiter::Nobody) => None,
        }
    }

    fn restore(&mut self, snapshot: &Snapshot, ground: &mut Ground<'_>) {
        let Page { book, members } = ground.archive.page(&snapshot.data).clone();
        (self.book, self.members) = (book, members);
        let at = Position { index: snapshot.index, term: snapshot.term };
        self.applied = (at, Arc::new(snapshot.members.clone()));
        self.last_snapshot = snapshot.index;
        ground.truth.restored(self.number, &self.book);
        self.show(ground);
    }

    fn led_by(&mut self, lead: Lead, ground: &mut Ground<'_>) {
        if matches!(self.lead, Lead::Established { .. }) {
            self.todo.push_back(Todo::Lost);
        }
        self.lead = lead;
        self.offered.clear();
        self.accepted.clear();
        match lead {
            Lead::Elected { term } => ground.truth.elected(self.number, self.id, term),
            Lead::Established { term } => {
                ground.truth.elected(self.number, self.id, term);
                ground.truth.established(self.number, term);
                self.todo.push_back(Todo::Established(Box::new(self.book.clone())));
            }
            Lead::Nobody { .. } | Lead::Other { .. } => {}
        }
    }

    fn refused(&mut self, ticket: Ticket, why: Refused, ground: &mut Ground<'_>) {
        if let Some((route, ask, _)) = self.looks.remove(&ticket) {
            let no = Refusal::new(RefusalKind::Unavailable, why.to_string());
            ground.effects.push(Effect::Post((route, Reply::Seen(ask, Err(no)))));
        }
        match self.offered.remove(&ticket) {
            Some(Waiter::Proposal(_)) => {
                self.todo.push_back(Todo::Lost);
                if matches!(self.lead, Lead::Established { .. }) {
                    self.todo.push_back(Todo::Established(Box::new(self.book.clone())));
                }
            }
            Some(Waiter::Joiner(route, ask, _)) => {
                let no = Err(not_now(&why.to_string()));
                ground.effects.push(Effect::Post((route, Reply::Joined(ask, no))));
            }
            Some(Waiter::Nobody) | None => {}
        }
    }

    /// Answers those who wanted to look and whose place in the log is applied.
    fn show(&mut self, ground: &mut Ground<'_>) {
        let behind = self.ripe.split_off(&(self.applied.0.index + 1, 0));
        for (_, ticket) in std::mem::replace(&mut self.ripe, behind) {
            let Some((route, ask, name)) = self.looks.remove(&ticket) else { continue };
            let seen = self.book.configs.named(&name).next().cloned();
            ground.effects.push(Effect::Post((route, Reply::Seen(ask, Ok(seen)))));
        }
    }

    fn reach_changed(
        &mut self,
        change: impl FnOnce(&mut BTreeSet<ReplicaId>) -> bool,
        ground: &mut Ground<'_>,
    ) {
        if change(&mut self.unreachable) {
            self.todo.push_back(Todo::Tell(LeaderInput::Members(self.group(ground.ids))));
        }
    }

    /// The group in the leader's words.
    fn group(&self, ids: &[NodeId]) -> Vec<Member> {
        let in_words = |(id, number): (&ReplicaId, &NodeNumber)| {
            let reachability = match self.unreachable.contains(id) {
                true => Reachability::Unreachable,
                false => Reachability::Reachable,
            };
            let addr = format!("{}:2377", address(*number));
            let status = ManagerStatus { raft_id: *id, addr, leader: *id == self.id, reachability };
            Member { node_id: ids[number.0 as usize], status }
        };
        self.members.present.iter().map(in_words).collect()
    }

    fn snapshot(&self, ground: &mut Ground<'_>) -> Snapshot {
        let (Position { index, term }, members) = self.applied.clone();
        let page = Page { book: self.book.clone(), members: self.members.clone() };
        Snapshot { index, term, members: (*members).clone(), data: ground.archive.keep_page(page) }
    }

    fn compact_if_due(&mut self, ground: &mut Ground<'_>) {
        let interval = self.book.cluster().map_or(0, |cluster| cluster.spec.raft.snapshot_interval);
        let grown = self.applied.0.index - self.last_snapshot;
        if interval > 0 && grown >= interval && !self.compacts {
            self.compacts = true;
            let snapshot = self.snapshot(ground);
            ground.effects.push(Effect::Write(Write::Compact(snapshot)));
        }
    }

    fn compacted(&mut self, index: Index, ground: &mut Ground<'_>) {
        self.compacts = false;
        self.last_snapshot = self.last_snapshot.max(index);
        let kept = self.book.cluster().map_or(0, |it| it.spec.raft.log_entries_for_slow_followers);
        self.order(Input::Compact(index.saturating_sub(kept)), ground);
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// A round without news drafts nothing, and what the leader keeps for speed is what the book says.
    fn check_quiet(&mut self, ground: &mut Ground<'_>) {
        let looks = self.book.index.is_multiple_of(if self.book.tasks.len() < TASKS_FEW { 4 } else { 64 });
        if looks && let Some(what) = self.office.differs_from(&self.book) {
            ground.truth.broke("a cache equals its twin", what.to_owned());
        }
        self.tell(LeaderInput::Wake, ground);
        if !self.office.is_idle() {
            ground.truth.broke("a second round drafts nothing", "it proposed again".to_owned());
        }
        while let Some(todo) = self.todo.pop_front() {
            self.follow(todo, ground);
        }
    }
}

/// With more tasks than this, caches are compared with their twins less often: it takes long.
const TASKS_FEW: usize = 50;

fn refuse(route: Route, question: &Question, why: &str, ground: &mut Ground<'_>) {
    ground.effects.push(Effect::Post((route, question.refused(not_now(why)))));
}
