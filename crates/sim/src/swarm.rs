//! The pretended swarm: one leader with a pretended log, and the nodes.
//!
//! In: requests and faults. Out: the book, and the story of what happened. The log commits each proposal after a
//! latency; the leader may lose its memory at any time and is then made anew from the book. After each commit
//! all checks are made.

use std::collections::BTreeMap;

use control::leader::{Answer, Input, Leader, Output, Request, SessionEvent, Ticket};
use model::{Chance, Duration, Machine, Refusal, TaskId, Timestamp};
use store::{Change, State};

use crate::checks;
use crate::founding;
use crate::network::{Direction, Network};
use crate::node::{Awaited, Effect, Heard, SimNode};
use crate::story::Story;
use crate::world::Agenda;

/// Which node, counted from 0, which is the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNumber(pub u32);

/// What happens.
#[derive(Debug)]
enum Event {
    /// The leader hears something.
    Leader(Box<Input>),
    /// The leader wants to be woken now.
    LeaderWakes,
    /// The log has ordered what the leader of this term proposed.
    Commit(u64),
    /// A node hears something.
    Heard(NodeNumber, Box<Heard>),
    /// Something ends that a node awaited in this life.
    Awaited(NodeNumber, u64, Box<Awaited>),
}

/// One broken promise, and where it broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check} broke at {at}: {what}")]
pub struct Broken {
    /// Which check.
    pub check: &'static str,
    /// When.
    pub at: Timestamp,
    /// What was seen.
    pub what: String,
}

/// The pretended swarm.
#[derive(Debug)]
pub struct Swarm {
    /// The book, as committed.
    pub book: State,
    /// The nodes.
    pub nodes: Vec<SimNode>,
    /// The ways between them.
    pub network: Network,
    /// Chance, for everything.
    pub chance: Chance,
    /// What happened.
    pub story: Story,
    agenda: Agenda<Event>,
    leader: Leader,
    /// Counts the leaders.
    term: u64,
    in_flight: Option<Vec<Change>>,
    tickets: u64,
    answers: BTreeMap<Ticket, Result<Answer, Refusal>>,
    wake: Option<Timestamp>,
}

/// The longest the log takes to commit, less a little.
const COMMIT_SPREAD: Duration = Duration::from_millis(10);

/// With more tasks than this, caches are compared with their twins less often: it takes long.
const TASKS_FEW: usize = 50;
/// So many things may happen in one moment.
const EVENTS_MAX: u32 = 20_000;

impl Swarm {
    /// A swarm whose daemons are about to start.
    pub fn of(names: &[String], seed: u64) -> Self {
        let mut chance = Chance::from_number(seed);
        let (book, nodes) = founding::found(names, &mut chance);
        let now = founding::beginning();
        let leader = Leader::new(&book, nodes[0].id, Chance::from_number(chance.number()), now);
        let mut swarm = Self {
            book,
            nodes,
            network: Network::default(),
            chance,
            story: Story::default(),
            agenda: Agenda::at(now),
            leader,
            term: 0,
            in_flight: None,
            tickets: 0,
            answers: BTreeMap::new(),
            wake: None,
        };
        swarm.agenda.put(now, Event::Leader(Box::new(Input::Wake)));
        for number in 0..swarm.nodes.len() as u32 {
            swarm.boot(NodeNumber(number));
        }
        swarm
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.agenda.now()
    }

    /// The node with this name.
    pub fn number(&self, name: &str) -> Option<NodeNumber> {
        let place = self.nodes.iter().position(|node| node.description.hostname == name)?;
        Some(NodeNumber(place as u32))
    }

    /// One node.
    pub fn node(&self, number: NodeNumber) -> &SimNode {
        &self.nodes[number.0 as usize]
    }

    /// Lets everything happen that happens within this time.
    pub fn run(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.now() + time;
        let (mut moment, mut events) = (self.now(), 0);
        while let Some(event) = self.agenda.take_until(end) {
            events = if self.now() == moment { events + 1 } else { 0 };
            moment = self.now();
            if events > EVENTS_MAX {
                return Err(self.broken("time goes on", format!("{event:.200?} and no end")));
            }
            self.happens(event)?;
        }
        self.agenda.pass_until(end);
        Ok(())
    }

    /// Asks the leader for something, and lets time pass until it answers.
    pub fn ask(&mut self, request: Request) -> Result<Result<Answer, Refusal>, Broken> {
        let ticket = self.ask_later(request);
        for _ in 0..1000 {
            self.run(Duration::from_millis(20))?;
            if let Some(answer) = self.answers.remove(&ticket) {
                return Ok(answer);
            }
        }
        Err(self.broken("every question is answered", "no answer after 20 s".to_owned()))
    }

    /// Asks the leader for something without waiting for the answer.
    pub fn ask_later(&mut self, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.agenda.put_after(Duration::ZERO, Event::Leader(Box::new(Input::Ask(ticket, request))));
        ticket
    }

    /// Starts the daemon of a node.
    pub fn boot(&mut self, number: NodeNumber) {
        let life = self.node(number).life;
        self.agenda.put_after(Duration::ZERO, Event::Awaited(number, life, Box::new(Awaited::Boot)));
    }

    /// Ends the daemon of a node; its containers go on.
    pub fn crash_daemon(&mut self, number: NodeNumber) {
        let session = self.node(number).session();
        self.nodes[number.0 as usize].crash();
        if let Some(session) = session {
            self.say(number, SessionEvent::Closed { session });
        }
    }

    /// Takes the power from a node.
    pub fn crash_machine(&mut self, number: NodeNumber) {
        let node = &mut self.nodes[number.0 as usize];
        node.crash();
        node.containers.crash_all();
    }

    /// Ends a container badly.
    pub fn crash_container(&mut self, number: NodeNumber, task: TaskId) {
        let now = self.now();
        let effects = self.nodes[number.0 as usize].crash_container(now, task);
        self.perform(number, effects);
    }

    /// Lets the leader forget everything that is not in the book. What it proposed is committed or lost, by chance,
    /// before the next one begins.
    pub fn depose(&mut self) -> Result<(), Broken> {
        let proposed = self.in_flight.take().filter(|_| self.chance.one_in(1, 2));
        if let Some(changes) = proposed {
            self.apply(&changes)?;
        }
        let now = self.now();
        self.term += 1;
        self.wake = None;
        let chance = Chance::from_number(self.chance.number());
        self.leader = Leader::new(&self.book, self.nodes[0].id, chance, now);
        self.agenda.put(now, Event::Leader(Box::new(Input::Wake)));
        Ok(())
    }

    /// What broke, now.
    pub fn broken(&self, check: &'static str, what: String) -> Broken {
        Broken { check, at: self.now(), what }
    }

    fn happens(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Leader(input) => self.tell_leader(*input),
            Event::LeaderWakes => {
                if self.wake.is_some_and(|at| at <= self.now()) {
                    self.wake = None;
                    self.tell_leader(Input::Wake);
                }
                Ok(())
            }?,
            Event::Commit(term) => self.commit(term)?,
            Event::Heard(number, heard) => {
                let now = self.now();
                let node = &mut self.nodes[number.0 as usize];
                if node.is_up {
                    let effects = node.hear(now, *heard, &mut self.chance);
                    self.perform(number, effects);
                }
            }
            Event::Awaited(number, life, awaited) => {
                let now = self.now();
                let node = &mut self.nodes[number.0 as usize];
                if node.life == life {
                    let effects = node.await_ends(now, *awaited, &mut self.chance);
                    self.perform(number, effects);
                }
            }
        }
        Ok(())
    }

    /// Applies what the log ordered, and tells the leader.
    fn commit(&mut self, term: u64) -> Result<(), Broken> {
        if term != self.term {
            return Ok(());
        }
        let changes = self.in_flight.take().expect("what is committed was proposed");
        self.apply(&changes)?;
        self.tell_leader(Input::Committed(Box::new(self.book.clone())));
        self.check_quiet()
    }

    /// Changes the book, and makes all checks.
    fn apply(&mut self, changes: &[Change]) -> Result<(), Broken> {
        let before = self.book.clone();
        let index = self.book.index + 1;
        self.book.apply(index, changes);
        let view = checks::View { before: &before, now: &self.book, changes };
        checks::after_commit(&view).map_err(|(check, what)| self.broken(check, what))?;
        self.story.commit(self.agenda.now(), &before, &self.book, changes);
        Ok(())
    }

    /// A round without news drafts nothing, and what the leader keeps for speed is what the book says.
    fn check_quiet(&mut self) -> Result<(), Broken> {
        if self.in_flight.is_some() {
            return Ok(());
        }
        let looks = self.book.index.is_multiple_of(if self.book.tasks.len() < TASKS_FEW { 4 } else { 64 });
        if looks && let Some(what) = self.leader.differs_from(&self.book) {
            return Err(self.broken("a cache equals its twin", what.to_owned()));
        }
        self.tell_leader(Input::Wake);
        if self.in_flight.is_some() {
            return Err(self.broken("a second round drafts nothing", "it proposed again".to_owned()));
        }
        Ok(())
    }

    fn tell_leader(&mut self, input: Input) {
        let now = self.now();
        for wish in self.leader.handle(now, input) {
            self.carry_out(wish);
        }
        if let Some(at) = self.leader.wake_at()
            && self.wake.is_none_or(|wake| at < wake)
        {
            self.wake = Some(at);
            self.agenda.put(at, Event::LeaderWakes);
        }
    }

    fn carry_out(&mut self, wish: Output) {
        match wish {
            Output::Propose(changes) => {
                assert!(self.in_flight.is_none(), "one proposal in flight");
                self.in_flight = Some(changes);
                let latency = Duration::from_nanos(self.chance.below(COMMIT_SPREAD.as_nanos() as u64));
                self.agenda.put_after(latency, Event::Commit(self.term));
            }
            Output::Answer(ticket, answer) => match (ticket.0 >> 32).checked_sub(1) {
                Some(number) => self.send(NodeNumber(number as u32), Heard::Answered(ticket, answer)),
                None => {
                    self.answers.insert(ticket, answer);
                }
            },
            Output::Tell(node, session, tell) => {
                if let Some(place) = self.nodes.iter().position(|it| it.id == node) {
                    self.send(NodeNumber(place as u32), Heard::Told(session, tell));
                }
            }
            Output::Sign(..) | Output::Study(_) | Output::Dismiss(_) => {}
        }
    }

    fn perform(&mut self, number: NodeNumber, effects: Vec<Effect>) {
        let life = self.node(number).life;
        for effect in effects {
            match effect {
                Effect::Say(event) => self.say(number, event),
                Effect::Await(at, awaited) => {
                    self.agenda.put(at, Event::Awaited(number, life, Box::new(awaited)))
                }
            }
        }
    }

    fn say(&mut self, number: NodeNumber, event: SessionEvent) {
        let now = self.now();
        if let Some(at) = self.network.arrival(now, number, Direction::Up, &mut self.chance) {
            let input = Input::Session(self.node(number).id, event);
            self.agenda.put(at, Event::Leader(Box::new(input)));
        }
    }

    fn send(&mut self, number: NodeNumber, heard: Heard) {
        let now = self.now();
        if let Some(at) = self.network.arrival(now, number, Direction::Down, &mut self.chance) {
            self.agenda.put(at, Event::Heard(number, Box::new(heard)));
        }
    }
}
