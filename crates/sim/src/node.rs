//! One simulated machine: a real worker, a pretended agent around it, pretended containers.
//!
//! In: what the leader says, what the machine itself awaits. Out: what it says, what it will await. Its memory
//! survives a crash of the daemon; its containers do too, unless the machine lost its power.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::leader::{
    Answer, Assignment, AssignmentChange, Assignments, SessionEvent, SessionMessage, Tell, Ticket,
};
use control::worker::{Done, Failure, Input, Output, Step, Worker};
use model::node::{NodeDescription, NodeRole};
use model::{
    Chance, Duration, Machine, NodeId, Refusal, SecretId, SessionId, Task, TaskId, TaskStatus, Timestamp,
};

use crate::containers::Containers;
use crate::swarm::NodeNumber;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest pause before the leader is called again.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// What comes from the leader.
#[derive(Clone, Debug)]
pub enum Heard {
    /// An answer.
    Answered(Ticket, Result<Answer, Refusal>),
    /// A word in a session.
    Told(SessionId, Tell),
    /// A session's conversation broke: something in it was lost, or the manager fell.
    Broken(SessionId),
}

/// What a machine awaits of itself.
#[derive(Debug)]
pub enum Awaited {
    /// Its daemon starts.
    Boot,
    /// It calls a manager.
    Call,
    /// It says that it is alive.
    Beat(SessionId),
    /// An answer should have come by now.
    Overdue(Ticket),
    /// A step ends, if it is still the one with this number.
    Stepped(TaskId, u64, Result<Done, Failure>),
    /// The worker wants to be woken.
    Wake,
}

/// What a machine wants of the world.
#[derive(Debug)]
pub enum Effect {
    /// Say this to the leader, by way of this manager.
    Say(NodeNumber, SessionEvent),
    /// Await this.
    Await(Timestamp, Awaited),
    /// It was told what it is in the swarm.
    Appointed(NodeRole),
}

/// One simulated machine.
#[derive(Debug)]
pub struct SimNode {
    /// Its id.
    pub id: NodeId,
    /// What it says of itself.
    pub description: NodeDescription,
    /// Whether its daemon runs.
    pub is_up: bool,
    /// Counts its starts: what an earlier life awaited does not happen.
    pub life: u64,
    /// Its containers.
    pub containers: Containers,
    /// Whether a manager runs here, whose door is the nearest.
    pub is_manager: bool,
    number: NodeNumber,
    worker: Worker,
    memory: BTreeMap<TaskId, Arc<Task>>,
    /// The managers it was last told of.
    managers: Vec<NodeNumber>,
    secrets: BTreeMap<SecretId, ()>,
    steps: BTreeMap<TaskId, (u64, Step)>,
    counter: u64,
    wake: Option<Timestamp>,
    talk: Talk,
}

/// Its conversation with the leader.
#[derive(Debug, Default)]
struct Talk {
    /// The manager it speaks with.
    via: Option<NodeNumber>,
    session: Option<SessionId>,
    is_open: bool,
    applied: u64,
    awaiting: BTreeMap<Ticket, Question>,
    reports: BTreeMap<TaskId, TaskStatus>,
    failures: u32,
    /// It will call again after a pause.
    will_call: bool,
}

#[derive(Debug)]
enum Question {
    Open,
    Beat,
    Report(BTreeMap<TaskId, TaskStatus>),
}

impl SimNode {
    /// A machine that has never run, and knows these managers.
    pub fn new(
        number: NodeNumber,
        id: NodeId,
        description: NodeDescription,
        managers: Vec<NodeNumber>,
    ) -> Self {
        Self {
            id,
            description,
            is_up: false,
            life: 0,
            containers: Containers::default(),
            is_manager: false,
            number,
            worker: Worker::new(),
            memory: BTreeMap::new(),
            managers,
            secrets: BTreeMap::new(),
            steps: BTreeMap::new(),
            counter: 0,
            wake: None,
            talk: Talk::default(),
        }
    }

    /// The daemon ends without a word.
    pub fn crash(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.worker = Worker::new();
        self.steps.clear();
        self.wake = None;
        self.secrets.clear();
        self.talk = Talk::default();
    }

    /// Its last words, if it speaks with somebody.
    pub fn farewell(&self) -> Option<Effect> {
        self.talk
            .session
            .zip(self.talk.via)
            .map(|(session, via)| Effect::Say(via, SessionEvent::Closed { session }))
    }

    /// Its place among the machines.
    pub fn number(&self) -> NodeNumber {
        self.number
    }

    /// Somebody tells it by hand where the managers are.
    pub fn introduce(&mut self, managers: Vec<NodeNumber>) {
        self.managers = managers;
    }

    /// The session in which it speaks, if it does.
    pub fn call(&self) -> Option<SessionId> {
        self.talk.session.filter(|_| self.talk.is_open)
    }

    /// The session in which it speaks by way of this manager, if it does.
    pub fn call_by(&self, manager: NodeNumber) -> Option<SessionId> {
        self.call().filter(|_| self.talk.via == Some(manager))
    }

    /// A manager that it knows.
    pub fn any_manager(&self, chance: &mut Chance) -> NodeNumber {
        self.managers[chance.below(self.managers.len() as u64) as usize]
    }

    /// The secrets it holds.
    pub fn secrets(&self) -> impl Iterator<Item = SecretId> {
        self.secrets.keys().copied()
    }

    /// The tasks it has.
    pub fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.worker.tasks()
    }

    /// Ends the container of a task badly, if one runs and somebody waits for it.
    pub fn crash_container(&mut self, now: Timestamp, task: TaskId) -> Vec<Effect> {
        let Some(ended) = self.containers.crash(task) else { return Vec::new() };
        match self.steps.get(&task) {
            Some((number, Step::Wait)) => vec![Effect::Await(now, Awaited::Stepped(task, *number, ended))],
            _ => Vec::new(),
        }
    }

    /// Takes in something it awaited.
    pub fn await_ends(&mut self, now: Timestamp, awaited: Awaited, chance: &mut Chance) -> Vec<Effect> {
        match awaited {
            Awaited::Boot => {
                self.is_up = true;
                let remembered = self.memory.values().cloned().collect();
                let mut effects = self.work(now, Input::Remembered(remembered), chance);
                self.talk.will_call = true;
                effects.push(Effect::Await(now, Awaited::Call));
                effects
            }
            Awaited::Call => self.call_up(now, chance),
            Awaited::Beat(session) if self.talk.is_open && self.talk.session == Some(session) => {
                self.beat(now, session)
            }
            Awaited::Overdue(ticket) if self.talk.awaiting.contains_key(&ticket) => self.hang_up(now, chance),
            Awaited::Beat(_) | Awaited::Overdue(_) => Vec::new(),
            Awaited::Stepped(task, number, result) => match self.steps.get(&task) {
                Some((current, step)) if *current == number => {
                    let step = *step;
                    self.steps.remove(&task);
                    self.work(now, Input::Done(task, step, result), chance)
                }
                _ => Vec::new(),
            },
            Awaited::Wake => {
                self.wake = None;
                self.work(now, Input::Wake, chance)
            }
        }
    }

    /// Takes in what the leader says.
    pub fn hear(&mut self, now: Timestamp, heard: Heard, chance: &mut Chance) -> Vec<Effect> {
        match heard {
            Heard::Answered(ticket, answer) => match self.talk.awaiting.remove(&ticket) {
                Some(question) => self.answered(now, question, answer, chance),
                None => Vec::new(),
            },
            Heard::Broken(session) if self.talk.is_open && self.talk.session == Some(session) => {
                self.hang_up(now, chance)
            }
            Heard::Told(session, tell) if self.talk.session == Some(session) => match tell {
                Tell::Session(message) => self.learn(&message),
                Tell::Assignments(assignments) => self.assigned(now, session, assignments, chance),
                Tell::End(_) => {
                    self.talk.session = None;
                    self.hang_up(now, chance)
                }
            },
            Heard::Told(..) | Heard::Broken(_) => Vec::new(),
        }
    }

    /// Takes in who the managers are, and what it is itself.
    fn learn(&mut self, message: &SessionMessage) -> Vec<Effect> {
        let managers: Vec<NodeNumber> =
            message.managers.iter().filter_map(|peer| number_at(&peer.addr)).collect();
        if !managers.is_empty() {
            self.managers = managers;
        }
        vec![Effect::Appointed(message.node.role)]
    }

    fn answered(
        &mut self,
        now: Timestamp,
        question: Question,
        answer: Result<Answer, Refusal>,
        chance: &mut Chance,
    ) -> Vec<Effect> {
        match (question, answer) {
            (Question::Open, Ok(Answer::Session(session))) => {
                let Talk { via, reports, .. } = std::mem::take(&mut self.talk);
                self.talk = Talk { via, session: Some(session), is_open: true, reports, ..Talk::default() };
                let mut effects = vec![self.say(SessionEvent::Listen { session })];
                effects.extend(self.beat(now, session));
                effects.extend(self.work(now, Input::Reconnected, chance));
                effects
            }
            (Question::Beat, Ok(Answer::Heartbeat(period))) => {
                let session = self.talk.session;
                session
                    .map(|session| Effect::Await(now + period, Awaited::Beat(session)))
                    .into_iter()
                    .collect()
            }
            (Question::Report(_), Ok(_)) => self.report(now),
            (Question::Report(told), Err(_)) => {
                for (task, status) in told {
                    self.talk.reports.entry(task).or_insert(status);
                }
                self.talk.session = None;
                self.hang_up(now, chance)
            }
            _ => {
                self.talk.session = None;
                self.hang_up(now, chance)
            }
        }
    }

    /// Opens a conversation with a manager: mostly its own, if it has one.
    fn call_up(&mut self, now: Timestamp, chance: &mut Chance) -> Vec<Effect> {
        self.talk.will_call = false;
        let is_near = self.is_manager && chance.one_in(3, 4);
        self.talk.via = Some(if is_near { self.number } else { self.any_manager(chance) });
        let ticket = self.ticket();
        self.talk.awaiting.insert(ticket, Question::Open);
        let open = SessionEvent::Open {
            ticket,
            description: Box::new(self.description.clone()),
            session: self.talk.session,
            addr: address(self.number),
        };
        vec![self.say(open), Effect::Await(now + ANSWER_MAX, Awaited::Overdue(ticket))]
    }

    fn beat(&mut self, now: Timestamp, session: SessionId) -> Vec<Effect> {
        let ticket = self.ticket();
        self.talk.awaiting.insert(ticket, Question::Beat);
        let beat = SessionEvent::Heartbeat { ticket, session };
        vec![self.say(beat), Effect::Await(now + ANSWER_MAX, Awaited::Overdue(ticket))]
    }

    fn say(&self, event: SessionEvent) -> Effect {
        Effect::Say(self.talk.via.expect("who speaks has called somebody"), event)
    }

    /// The conversation broke: what was not answered is said again in the next one, after a pause.
    fn hang_up(&mut self, now: Timestamp, chance: &mut Chance) -> Vec<Effect> {
        self.talk.is_open = false;
        for (_, question) in std::mem::take(&mut self.talk.awaiting) {
            if let Question::Report(told) = question {
                for (task, status) in told {
                    self.talk.reports.entry(task).or_insert(status);
                }
            }
        }
        if std::mem::replace(&mut self.talk.will_call, true) {
            return Vec::new();
        }
        self.talk.failures = (self.talk.failures + 1).min(8);
        let longest = (Duration::from_millis(100) * 2_u32.pow(self.talk.failures)).min(PAUSE_MAX);
        let pause = Duration::from_nanos(chance.below(longest.as_nanos() as u64));
        vec![Effect::Await(now + pause, Awaited::Call)]
    }

    fn assigned(
        &mut self,
        now: Timestamp,
        session: SessionId,
        assignments: Assignments,
        chance: &mut Chance,
    ) -> Vec<Effect> {
        let Assignments { complete, applies_to, results_in, changes } = assignments;
        if !complete && applies_to != self.talk.applied {
            return vec![self.say(SessionEvent::Listen { session })];
        }
        self.talk.applied = results_in;
        if complete {
            self.secrets.clear();
        }
        let mut updated = Vec::new();
        let mut removed = Vec::new();
        for change in changes {
            match change {
                AssignmentChange::Update(Assignment::Task(task)) => updated.push(task),
                AssignmentChange::Update(Assignment::Secret(secret)) => {
                    self.secrets.insert(secret.id, ());
                }
                AssignmentChange::RemoveTask(task) => removed.push(task),
                AssignmentChange::RemoveSecret(secret) => {
                    self.secrets.remove(&secret);
                }
                AssignmentChange::Update(Assignment::Config(_) | Assignment::Volume(_))
                | AssignmentChange::RemoveConfig(_)
                | AssignmentChange::RemoveVolume(_) => {}
            }
        }
        let input = if complete { Input::AssignedAll(updated) } else { Input::Assigned { updated, removed } };
        self.work(now, input, chance)
    }

    /// Lets the worker decide, and does what it wishes.
    fn work(&mut self, now: Timestamp, input: Input, chance: &mut Chance) -> Vec<Effect> {
        let mut effects = Vec::new();
        for wish in self.worker.handle(now, input) {
            match wish {
                Output::Do(task, step) => effects.extend(self.begin(now, &task, step, chance)),
                Output::Cancel(task) => effects.extend(self.cancel(now, task)),
                Output::Report(task, status) => {
                    self.talk.reports.insert(task, status);
                }
                Output::Remember(task) => {
                    self.memory.insert(task.id, task);
                }
                Output::Forget(task) => {
                    self.memory.remove(&task);
                    self.talk.reports.remove(&task);
                }
            }
        }
        if let Some(at) = self.worker.wake_at()
            && self.wake.is_none_or(|wake| at < wake)
        {
            self.wake = Some(at);
            effects.push(Effect::Await(at, Awaited::Wake));
        }
        effects.extend(self.report(now));
        effects
    }

    fn begin(&mut self, now: Timestamp, task: &Task, step: Step, chance: &mut Chance) -> Option<Effect> {
        self.counter += 1;
        let busy = self.steps.insert(task.id, (self.counter, step));
        assert!(busy.is_none(), "one step at a time for each task, not {step:?} while {busy:?}");
        let (at, result) = self.containers.begin(now, task, step, chance)?;
        Some(Effect::Await(at, Awaited::Stepped(task.id, self.counter, result)))
    }

    /// Gives up a step; its old end does not happen.
    fn cancel(&mut self, now: Timestamp, task: TaskId) -> Option<Effect> {
        let (number, _) = self.steps.get_mut(&task)?;
        self.counter += 1;
        *number = self.counter;
        let failure = Failure { message: "given up".to_owned(), temporary: false, container: None };
        Some(Effect::Await(now, Awaited::Stepped(task, self.counter, Err(failure))))
    }

    /// Says what has become of tasks: all that waits, and no two reports at a time.
    fn report(&mut self, now: Timestamp) -> Vec<Effect> {
        let busy = self.talk.awaiting.values().any(|question| matches!(question, Question::Report(_)));
        let Some(session) = self.talk.session.filter(|_| self.talk.is_open && !busy) else {
            return Vec::new();
        };
        if self.talk.reports.is_empty() {
            return Vec::new();
        }
        let ticket = self.ticket();
        let told = std::mem::take(&mut self.talk.reports);
        let updates = told.iter().map(|(task, status)| (*task, status.clone())).collect();
        self.talk.awaiting.insert(ticket, Question::Report(told));
        let statuses = SessionEvent::Statuses { ticket, session, updates };
        vec![self.say(statuses), Effect::Await(now + ANSWER_MAX, Awaited::Overdue(ticket))]
    }

    /// A ticket that names this machine in its upper half.
    fn ticket(&mut self) -> Ticket {
        self.counter += 1;
        Ticket((u64::from(self.number.0) + 1) << 32 | (self.counter & 0xffff_ffff))
    }
}

/// The address of a machine.
pub fn address(number: NodeNumber) -> String {
    format!("10.99.{}.{}", number.0 / 256, number.0 % 256)
}

/// The machine whose manager has this address, with port.
fn number_at(addr: &str) -> Option<NodeNumber> {
    let mut parts = addr.strip_prefix("10.99.")?.split(['.', ':']).map(str::parse::<u32>);
    let (high, low) = (parts.next()?.ok()?, parts.next()?.ok()?);
    Some(NodeNumber(high * 256 + low))
}
