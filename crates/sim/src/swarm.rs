//! The pretended swarm: machines, the ways between them, and what is true everywhere.
//!
//! In: requests and faults. Out: what is committed, and the story of what happened. Time passes from one event to
//! the next; after each of them every promise is looked at that it may have broken.

use std::collections::BTreeMap;

use control::leader::{Answer, Request, Ticket};
use model::node::NodeRole;
use model::{Chance, Duration, NodeId, Refusal, TaskId, Timestamp};
use raft::{Config, Lead, ReplicaId, Stored};
use store::State;

use crate::archive::Archive;
use crate::clerk::{Clerks, Due};
use crate::clock::Clock;
use crate::command;
use crate::disk::Disk;
use crate::founding;
use crate::mail::{Asker, Mail, Question, Reply, Route, not_now};
use crate::manager::{Ground, Manager, Orderer, Told};
use crate::network::Network;
use crate::node::{Awaited, Effect, Heard, SimNode};
use crate::tally::Blow;
use crate::truth::Truth;
use crate::world::Agenda;

/// Which machine, counted from 0, which founds the swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNumber(pub u32);

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

/// How a swarm begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of each machine.
    pub names: Vec<String>,
    /// How many of them become managers.
    pub managers: u32,
    /// What chance begins with.
    pub seed: u64,
    /// How replicas behave; each gets its own number.
    pub habits: Config,
    /// Entries between two snapshots.
    pub snapshot_interval: u64,
    /// What a manager's replica is made of.
    pub replica: MakeReplica,
    /// Whether every promise is looked at; it takes long in large swarms.
    pub is_watched: bool,
}

/// Makes the replica of a machine, of what is on its disk.
pub type MakeReplica = fn(NodeNumber, Config, &Stored, Chance, Timestamp) -> Box<Orderer>;

impl Plan {
    /// A swarm of one manager, on the first of these machines.
    pub fn of(names: &[String], seed: u64) -> Self {
        let replica: MakeReplica =
            |_, config, stored, chance, now| Box::new(raft::Replica::new(config, stored, chance, now));
        let habits = Config::quick(0);
        Self {
            names: names.to_vec(),
            managers: 1,
            seed,
            habits,
            snapshot_interval: 10_000,
            replica,
            is_watched: true,
        }
    }
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    /// What runs tasks on it.
    pub node: SimNode,
    /// Its clock.
    pub clock: Clock,
    /// The disk of its manager, from when it joins until it was removed from the group.
    pub disk: Option<Disk>,
    /// Its manager, while that runs.
    pub manager: Option<Manager>,
    /// Counts the starts of its manager.
    pub(crate) manager_life: u64,
    /// When its manager is woken next.
    pub(crate) wake: Option<Timestamp>,
    /// What it was last told that it is.
    pub(crate) role: NodeRole,
    /// When the way to each other manager was last open, for those to which it is not.
    pub(crate) lost: BTreeMap<NodeNumber, Timestamp>,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something arrives at a machine.
    Arrives(NodeNumber, Box<Mail>),
    /// Something ends that a node awaited in this life.
    Awaited(NodeNumber, u64, Box<Awaited>),
    /// A manager is told something in this life.
    Manager(NodeNumber, u64, Box<Told>),
    /// A manager wants to be woken in this life.
    Wakes(NodeNumber, u64),
    /// The first write ends that waits for a disk, in this life.
    Writes(NodeNumber, u64),
    /// A machine loses its power in the midst of a write, in this life.
    Trips(NodeNumber, u64),
    /// A machine wants to be in the group of managers.
    Joins(NodeNumber),
    /// A clerk's time has come.
    Clerk(Due),
}

/// The pretended swarm.
#[derive(Debug)]
pub struct Swarm {
    /// The machines.
    pub machines: Vec<Machine>,
    /// The ways between them.
    pub network: Network,
    /// Chance, for everything.
    pub chance: Chance,
    /// What is true everywhere.
    pub truth: Truth,
    /// Those who write down what they asked and were answered.
    pub clerks: Clerks,
    pub(crate) plan: Plan,
    pub(crate) archive: Archive,
    pub(crate) agenda: Agenda<Event>,
    pub(crate) ids: Vec<NodeId>,
    /// On which machine each replica lives.
    pub(crate) homes: BTreeMap<ReplicaId, NodeNumber>,
    answers: BTreeMap<Ticket, Result<Answer, Refusal>>,
    tickets: u64,
}

/// So many things may happen in one moment.
const EVENTS_MAX: u32 = 20_000;
/// After so long without an answer, nobody waits any more.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// After so long, if another leads meanwhile.
const ANSWER_LOST: Duration = Duration::from_secs(3);
/// So long a machine may take to become a manager, in good weather.
const JOINED: Duration = Duration::from_secs(60);
/// Who asks looks this often for the answer.
const LOOK: Duration = Duration::from_millis(20);

impl Swarm {
    /// A swarm whose daemons are about to start.
    pub fn begin(plan: Plan) -> Self {
        let mut chance = Chance::from_number(plan.seed);
        let founded = founding::found(&plan, &mut chance);
        let now = founding::beginning();
        let truth = Truth::of(now, plan.names.clone(), plan.is_watched);
        let ids = founded.nodes.iter().map(|node| node.id).collect();
        let mut swarm = Self {
            machines: founded.nodes.into_iter().zip(0..).map(Machine::new).collect(),
            network: Network::default(),
            chance,
            truth,
            clerks: Clerks::default(),
            archive: founded.archive,
            agenda: Agenda::at(now),
            ids,
            homes: BTreeMap::new(),
            answers: BTreeMap::new(),
            tickets: 0,
            plan,
        };
        swarm.settle(NodeNumber(0), Disk::of(founding::FIRST, founded.stored));
        for number in swarm.numbers() {
            swarm.boot(number);
        }
        swarm
    }

    /// What is committed.
    pub fn book(&self) -> &State {
        &self.truth.book
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.agenda.now()
    }

    /// Every machine.
    pub fn numbers(&self) -> impl Iterator<Item = NodeNumber> + use<> {
        (0..self.machines.len() as u32).map(NodeNumber)
    }

    /// The machine with this name.
    pub fn number(&self, name: &str) -> Option<NodeNumber> {
        self.numbers().find(|number| self.machine(*number).node.description.hostname == name)
    }

    /// One machine.
    pub fn machine(&self, number: NodeNumber) -> &Machine {
        &self.machines[number.0 as usize]
    }

    pub(crate) fn machine_mut(&mut self, number: NodeNumber) -> &mut Machine {
        &mut self.machines[number.0 as usize]
    }

    /// The machine whose manager leads, as far as can be seen from above.
    pub fn leader(&self) -> Option<NodeNumber> {
        let leads = |number: &NodeNumber| match self.machine(*number).manager.as_ref()?.lead {
            Lead::Established { term } => Some(term),
            _ => None,
        };
        self.numbers().filter_map(|number| Some((leads(&number)?, number))).max().map(|(_, number)| number)
    }

    /// The machines whose managers run.
    pub fn managers(&self) -> Vec<NodeNumber> {
        self.numbers().filter(|number| self.machine(*number).manager.is_some()).collect()
    }

    /// True if there is, or is to be, more than one manager.
    pub fn is_group(&self) -> bool {
        self.plan.managers > 1
    }

    /// Lets everything happen that happens within this time.
    pub fn run(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.now() + time;
        let (mut moment, mut events) = (self.now(), 0);
        while let Some(event) = self.agenda.take_until(end) {
            events = if self.now() == moment { events + 1 } else { 0 };
            moment = self.now();
            self.truth.now = moment;
            if events > EVENTS_MAX {
                self.truth.broke("time goes on", format!("{event:.200?} and no end"));
            }
            self.happens(event);
            if let Some(broken) = &self.truth.broken {
                return Err(broken.clone());
            }
        }
        self.agenda.pass_until(end);
        self.truth.now = end;
        Ok(())
    }

    /// Lets time pass until something holds; whether it does within this time.
    pub fn run_until(&mut self, time: Duration, holds: impl Fn(&Self) -> bool) -> Result<bool, Broken> {
        let end = self.now() + time;
        while !holds(self) {
            if self.now() >= end {
                return Ok(false);
            }
            self.run(LOOK)?;
        }
        Ok(true)
    }

    /// Asks for something, and lets time pass until it is answered.
    pub fn ask(&mut self, request: Request) -> Result<Result<Answer, Refusal>, Broken> {
        let leads = self.leader();
        let Some(asked) = leads.or_else(|| self.managers().first().copied()) else {
            return Ok(Err(not_now("no manager is there")));
        };
        self.ask_by(asked, request)
    }

    /// Asks this manager for something, and lets time pass until it is answered.
    pub fn ask_by(&mut self, asked: NodeNumber, request: Request) -> Result<Result<Answer, Refusal>, Broken> {
        let reign = |swarm: &Self| swarm.leader().map(|leader| (leader, swarm.machine(leader).manager_life));
        let begin = (self.now(), reign(self));
        let ticket = self.ticket();
        self.post_outside(asked, Question::Change(ticket, request));
        loop {
            self.run(LOOK)?;
            if let Some(answer) = self.answers.remove(&ticket) {
                return Ok(answer);
            }
            let waited = self.now().since(begin.0);
            let is_steady =
                begin.1.is_some() && begin.1 == reign(self) && begin.1.map(|it| it.0) == Some(asked);
            if waited >= ANSWER_MAX || (waited >= ANSWER_LOST && !is_steady) {
                return Ok(Err(not_now("no answer")));
            }
        }
    }

    /// A number for a question from outside.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Lets the first machines become managers, one after the other.
    pub fn gather(&mut self) -> Result<(), Broken> {
        for place in 1..self.plan.managers as usize {
            let name = self.plan.names[place].clone();
            let is_there = move |swarm: &Self| swarm.machines[place].node.call().is_some();
            let calls = self.run_until(JOINED, is_there)?;
            let line = format!("promote {name}");
            command::run(self, &line).map_err(|error| self.broken(error.to_string()))?;
            let is_in = move |swarm: &Self| {
                let leader = swarm.leader().and_then(|leader| swarm.machine(leader).manager.as_ref());
                let own = swarm.machines[place].manager.as_ref();
                leader.zip(own).is_some_and(|(leader, own)| {
                    leader.applied().1.is_voter(own.id) && leader.book.index == own.book.index
                })
            };
            if !(calls && self.run_until(JOINED, is_in)?) {
                return Err(self.broken(format!("{name} did not become one")));
            }
        }
        Ok(())
    }

    fn broken(&self, what: String) -> Broken {
        Broken { check: "managers gather", at: self.now(), what }
    }

    /// Tells every node by hand where the managers are: all that one knows may have gone while it was away.
    pub fn introduce(&mut self) {
        let managers = self.managers();
        self.machines.iter_mut().for_each(|machine| machine.node.introduce(managers.clone()));
    }

    /// Sends a question from outside to a manager.
    pub(crate) fn post_outside(&mut self, to: NodeNumber, question: Question) {
        let route = Route { asker: Asker::Outside, relay: None };
        if self.network.is_away(to) {
            return;
        }
        let mail = Box::new(Mail::Ask(route, question));
        self.agenda.put_after(Duration::from_micros(100), Event::Arrives(to, mail));
    }

    /// A reply that has come all the way to somebody outside.
    pub(crate) fn replied_outside(&mut self, reply: Reply) {
        let now = self.agenda.now();
        match self.clerks.hear(now, reply) {
            Ok(due) => due.into_iter().for_each(|(at, due)| self.agenda.put(at, Event::Clerk(due))),
            Err(Reply::Answered(ticket, answer)) => drop(self.answers.insert(ticket, answer)),
            Err(_) => {}
        }
    }

    /// Puts clerks to work.
    pub fn hire(&mut self, clerks: u32) {
        let now = self.now();
        for due in self.clerks.hire(clerks) {
            self.agenda.put(now, Event::Clerk(due));
        }
    }

    /// Starts the daemon of a machine.
    pub fn boot(&mut self, number: NodeNumber) {
        let life = self.machine(number).node.life;
        self.agenda.put_after(Duration::ZERO, Event::Awaited(number, life, Box::new(Awaited::Boot)));
        self.start_manager(number);
    }

    /// Ends the daemon of a machine; its containers go on.
    pub fn crash_daemon(&mut self, number: NodeNumber) {
        if self.machine(number).node.is_up {
            self.truth.tally.count(Blow::DaemonEnds);
        }
        self.crash_manager(number);
        let farewell = self.machine(number).node.farewell();
        self.machine_mut(number).node.crash();
        self.perform(number, farewell.into_iter().collect());
    }

    /// Takes the power from a machine.
    pub fn crash_machine(&mut self, number: NodeNumber) {
        if self.machine(number).node.is_up {
            self.truth.tally.count(Blow::PowerLost);
        }
        self.crash_manager(number);
        let node = &mut self.machine_mut(number).node;
        node.crash();
        node.containers.crash_all();
    }

    /// Ends a container badly.
    pub fn crash_container(&mut self, number: NodeNumber, task: TaskId) {
        self.truth.tally.count(Blow::ContainerKilled);
        let now = self.shown(number);
        let effects = self.machine_mut(number).node.crash_container(now, task);
        self.perform(number, effects);
    }

    /// Lets a manager that leads hand over to another.
    pub fn hand_over(&mut self, leader: NodeNumber, to: NodeNumber) {
        self.truth.tally.count(Blow::HandOver);
        self.tell_manager(leader, Told::HandOver(to));
    }

    /// Sets the clock of a machine forward.
    pub fn leap(&mut self, number: NodeNumber, by: Duration) {
        self.truth.tally.count(Blow::ClockForward);
        self.machine_mut(number).clock.leap(by);
        let machine = self.machine(number);
        let (life, manager_life) = (machine.node.life, machine.manager_life);
        self.agenda.put_after(Duration::ZERO, Event::Awaited(number, life, Box::new(Awaited::Wake)));
        self.machine_mut(number).wake = Some(self.now());
        self.agenda.put_after(Duration::ZERO, Event::Wakes(number, manager_life));
    }

    /// Sets the clock of a machine right, unless its daemon runs: then it never goes back.
    pub fn correct(&mut self, number: NodeNumber) {
        let (right, shown) = (self.now(), self.shown(number));
        let machine = self.machine_mut(number);
        if !machine.node.is_up && shown > right {
            machine.clock.correct();
            machine.node.containers.clock_goes_back(shown, shown.since(right));
            self.truth.tally.count(Blow::ClockBack);
        }
    }

    /// Nothing comes through to or from this machine any more.
    pub fn cut_off(&mut self, number: NodeNumber) {
        if !self.network.is_away(number) {
            self.network.cut(number);
            self.truth.tally.count(Blow::MachineCutOff);
        }
    }

    /// Nothing comes through this way any more; the way back stays.
    pub fn cut_way(&mut self, from: NodeNumber, to: NodeNumber) {
        if from != to && self.network.is_open(from, to) {
            self.network.cut_way(from, to);
            self.truth.tally.count(Blow::OneWayCut);
        }
    }

    /// Nothing comes through between these machines and the others any more.
    pub fn split(&mut self, one: &[NodeNumber]) {
        let other: Vec<NodeNumber> = self.numbers().filter(|number| !one.contains(number)).collect();
        self.network.split(one, &other);
        self.truth.tally.count(Blow::Split);
    }

    /// What the clock of a machine shows.
    pub(crate) fn shown(&self, number: NodeNumber) -> Timestamp {
        self.machine(number).clock.shows(self.now())
    }

    /// Looks whether all is as wished, after a long quiet time.
    pub fn check_calm(&self) -> Result<(), String> {
        use crate::checks;
        checks::group(self.book(), &self.machines)?;
        checks::calm(self.book(), &self.machines, self.now())?;
        checks::secrets(&self.machines)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(number, mail) => self.arrives(number, *mail),
            Event::Awaited(number, life, awaited) => {
                let now = self.shown(number);
                if self.machine(number).node.life == life {
                    let node = &mut self.machines[number.0 as usize].node;
                    let effects = node.await_ends(now, *awaited, &mut self.chance);
                    self.perform(number, effects);
                }
            }
            Event::Manager(number, life, told) => {
                if self.machine(number).manager_life == life {
                    self.tell_manager(number, *told);
                }
            }
            Event::Wakes(number, life) => {
                let now = self.now();
                let machine = self.machine_mut(number);
                if machine.manager_life == life && machine.wake.is_some_and(|at| at <= now) {
                    machine.wake = None;
                    self.tell_manager(number, Told::Wake);
                }
            }
            Event::Writes(number, life) => {
                if self.machine(number).manager_life == life {
                    self.write(number);
                }
            }
            Event::Trips(number, life) => {
                if self.machine(number).manager_life == life {
                    self.crash_machine(number);
                }
            }
            Event::Joins(number) => self.join(number),
            Event::Clerk(due) => self.clerk(due),
        }
    }

    /// Lets a node hear something, and does what it wants.
    pub(crate) fn node_hears(&mut self, number: NodeNumber, heard: Heard) {
        let now = self.shown(number);
        let node = &mut self.machines[number.0 as usize].node;
        if node.is_up {
            let effects = node.hear(now, heard, &mut self.chance);
            self.perform(number, effects);
        }
    }

    /// Does what a node wants.
    fn perform(&mut self, number: NodeNumber, effects: Vec<Effect>) {
        let life = self.machine(number).node.life;
        for effect in effects {
            match effect {
                Effect::Say(via, event) => {
                    let route = Route { asker: Asker::Machine(number), relay: None };
                    let question = Question::Session(self.ids[number.0 as usize], event);
                    self.converse(number, via, Mail::Ask(route, question));
                }
                Effect::Await(at, awaited) => {
                    let at = self.machine(number).clock.time(at);
                    self.agenda.put(at, Event::Awaited(number, life, Box::new(awaited)));
                }
                Effect::Appointed(role) => self.appoint(number, role),
            }
        }
    }

    /// Hands something to a manager, and does what it wants.
    pub(crate) fn tell_manager(&mut self, number: NodeNumber, told: Told) {
        let (now, uptime) = (self.shown(number), self.machine(number).clock.uptime(self.now()));
        let machine = &mut self.machines[number.0 as usize];
        let Some(manager) = &mut machine.manager else { return };
        let mut ground = Ground {
            now,
            uptime,
            chance: &mut self.chance,
            archive: &mut self.archive,
            truth: &mut self.truth,
            ids: &self.ids,
            is_full: machine.disk.as_ref().is_some_and(|disk| disk.is_full),
            effects: Vec::new(),
        };
        manager.hear(told, &mut ground);
        let effects = ground.effects;
        let wake = manager.wake_at(machine.clock);
        if let Some(at) = wake.filter(|at| machine.wake.is_none_or(|wake| *at < wake)) {
            machine.wake = Some(at);
            let life = machine.manager_life;
            self.agenda.put(at, Event::Wakes(number, life));
        }
        self.check_fresh();
        self.carry_out(number, effects);
    }
}

impl Machine {
    /// Its quartz is a few hundredths too fast or too slow.
    fn new((node, number): (SimNode, i64)) -> Self {
        Self {
            node,
            clock: Clock::hasty(number % 5 * 20 - 40),
            disk: None,
            manager: None,
            manager_life: 0,
            wake: None,
            role: NodeRole::Worker,
            lost: BTreeMap::new(),
        }
    }
}
