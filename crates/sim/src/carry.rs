//! Carries things between machines and managers: letters, questions, replies, writes.
//!
//! In: what managers want, what arrives. Out: the same swarm, with new events. A way that is cut swallows letters and
//! breaks conversations; a manager learns of either as a real one would, after a while.

use model::node::NodeRole;
use model::{Chance, Duration, SessionId};
use raft::{Body, Lead, Position, ReplicaId, SnapshotOutcome, Stored};

use crate::checks;
use crate::desk::Posted;
use crate::disk::{Disk, Remains, Write};
use crate::mail::{Asker, Mail, Question, Reply, Route, not_now};
use crate::manager::{Effect, Manager, Told};
use crate::node::Heard;
use crate::swarm::{Event, Machine, NodeNumber, Swarm};
use crate::tally::Blow;

/// After so long it shows that a conversation is broken, if nobody says so.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// After so long a letter that was not taken counts as lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// After so long a machine asks again to be let into the group.
const JOIN_AGAIN: Duration = Duration::from_secs(2);
/// The longest that a disk takes for a write.
const WRITE_MAX: Duration = Duration::from_millis(3);
/// Who could not be reached for so long is not counted upon by a lawful dismissal.
const LOST_FOR_SURE: Duration = Duration::from_secs(10);

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It arrives.
    Arrives,
    /// It is lost, and nobody notices.
    Lost,
    /// Nobody is there to take it, and says so.
    Refused,
    /// The way is cut.
    Swallowed,
}

impl Swarm {
    /// Does what a manager wants.
    pub(crate) fn carry_out(&mut self, number: NodeNumber, effects: Vec<Effect>) {
        let life = self.machine(number).manager_life;
        for effect in effects {
            match effect {
                Effect::Write(write) => self.begin_write(number, write),
                Effect::Send(message) => self.send(number, message),
                Effect::Post(posted) => self.post(number, posted),
                Effect::Forward(to, route, question) => self.converse(number, to, Mail::Ask(route, question)),
                Effect::Later(time, told) => {
                    self.agenda.put_after(time, Event::Manager(number, life, Box::new(told)));
                }
                Effect::Dismisses(replica) => self.check_dismissal(number, replica),
                Effect::Leave => self.wipe(number),
            }
        }
    }

    /// What arrives at a machine.
    pub(crate) fn arrives(&mut self, number: NodeNumber, mail: Mail) {
        match mail {
            Mail::Raft(message) => self.letter(number, message),
            Mail::Ask(route, question) if self.machine(number).manager.is_some() => {
                self.tell_manager(number, Told::Asked(route, question));
            }
            Mail::Ask(route, question) => {
                let reply = question.refused(not_now("no manager is there"));
                self.post(number, (route, reply));
            }
            Mail::Reply(route, reply) => match route.asker {
                Asker::Machine(asker) if asker == number => self.reply(number, reply),
                Asker::Machine(_) | Asker::Outside => self.post(number, (route, reply)),
            },
            Mail::Removed(id) => {
                if self.machine(number).disk.as_ref().is_some_and(|disk| disk.replica == id) {
                    self.wipe(number);
                }
            }
        }
    }

    /// Sends a word of a conversation. If it is lost, so is the conversation.
    pub(crate) fn converse(&mut self, from: NodeNumber, to: NodeNumber, mail: Mail) {
        let now = self.now();
        match self.network.word(now, (from, to), &mut self.chance) {
            Some(at) => self.agenda.put(at, Event::Arrives(to, Box::new(mail))),
            None => {
                self.truth.tally.count(Blow::WordCutOff);
                self.broke_off(mail);
            }
        }
    }

    /// What was to be heard in a session is lost: the node will notice.
    fn broke_off(&mut self, mail: Mail) {
        let (asker, session) = match mail {
            Mail::Reply(route, Reply::Told(session, _) | Reply::Broken(session)) => (route.asker, session),
            Mail::Ask(route, question) => match question.refused(not_now("lost")) {
                Reply::Broken(session) => (route.asker, session),
                _ => return,
            },
            Mail::Reply(..) | Mail::Raft(_) | Mail::Removed(_) => return,
        };
        if let Asker::Machine(number) = asker {
            let route = Route { asker, relay: None };
            let mail = Box::new(Mail::Reply(route, Reply::Broken(session)));
            self.agenda.put_after(KEEPALIVE, Event::Arrives(number, mail));
        }
    }

    /// Sends a reply on its way back.
    fn post(&mut self, from: NodeNumber, (route, reply): Posted) {
        let to = match (route.relay, route.asker) {
            (Some(relay), _) if relay != from => relay,
            (_, Asker::Machine(asker)) => asker,
            (_, Asker::Outside) => {
                if !self.network.is_away(from) {
                    self.replied_outside(reply);
                }
                return;
            }
        };
        self.converse(from, to, Mail::Reply(route, reply));
    }

    fn reply(&mut self, number: NodeNumber, reply: Reply) {
        let heard = match reply {
            Reply::Answered(ticket, answer) => Heard::Answered(ticket, answer),
            Reply::Told(session, tell) => Heard::Told(session, tell),
            Reply::Broken(session) => Heard::Broken(session),
            Reply::Joined(_, Ok(id)) => {
                if self.machine(number).disk.is_none() && self.machine(number).role == NodeRole::Manager {
                    self.settle(number, Disk::of(id, Stored::default()));
                    if self.machine(number).node.is_up {
                        self.start_manager(number);
                    }
                }
                return;
            }
            Reply::Joined(_, Err(_)) | Reply::Seen(..) => return,
        };
        self.node_hears(number, heard);
    }

    /// Sends a letter to another replica.
    fn send(&mut self, from: NodeNumber, message: raft::Message) {
        let Some(&to) = self.homes.get(&message.to) else { return };
        let now = self.now();
        let is_there = self.machine(to).manager.as_ref().is_some_and(|manager| manager.id == message.to);
        let arrivals = match is_there {
            true => self.network.letter(now, (from, to), &mut self.chance),
            false => Vec::new(),
        };
        let fate = match (is_there, self.network.is_open(from, to), arrivals.is_empty()) {
            (false, ..) => Fate::Refused,
            (true, false, _) => Fate::Swallowed,
            (true, true, true) => Fate::Lost,
            (true, true, false) => Fate::Arrives,
        };
        match (fate, arrivals.len()) {
            (Fate::Lost, _) => self.truth.tally.count(Blow::LetterLost),
            (Fate::Swallowed, _) => self.truth.tally.count(Blow::LetterCutOff),
            (Fate::Arrives, 2) => self.truth.tally.count(Blow::LetterRepeated),
            (Fate::Arrives | Fate::Refused, _) => {}
        }
        self.note_fate((from, to), &message, fate);
        for at in arrivals {
            if self.network.overtakes((from, to), at) {
                self.truth.tally.count(Blow::LetterOvertakes);
            }
            self.agenda.put(at, Event::Arrives(to, Box::new(Mail::Raft(message.clone()))));
        }
    }

    /// Lets the sender know what became of a letter, as far as a sender can.
    fn note_fate(&mut self, (from, to): (NodeNumber, NodeNumber), message: &raft::Message, fate: Fate) {
        let now = self.now();
        let machine = self.machine_mut(from);
        let life = machine.manager_life;
        match fate {
            Fate::Arrives | Fate::Lost => drop(machine.lost.remove(&to)),
            Fate::Refused | Fate::Swallowed => drop(machine.lost.entry(to).or_insert(now)),
        }
        let was_lost = machine.manager.as_ref().is_some_and(|it| it.unreachable().contains(&message.to));
        let soon = Duration::from_millis(1 + self.chance.below(10));
        let patience = if fate == Fate::Swallowed { SEND_TIMEOUT } else { soon };
        let mut tell =
            |told: Told| self.agenda.put_after(patience, Event::Manager(from, life, Box::new(told)));
        if matches!(message.body, Body::Snapshot(_)) {
            let arrives = fate == Fate::Arrives;
            let outcome = if arrives { SnapshotOutcome::Delivered } else { SnapshotOutcome::Failed };
            tell(Told::Sent(message.to, outcome));
        }
        match fate {
            Fate::Refused | Fate::Swallowed => tell(Told::Lost(message.to)),
            Fate::Arrives if was_lost => tell(Told::Reached(message.to)),
            Fate::Arrives | Fate::Lost => {}
        }
    }

    /// A letter arrives. Who was removed is told so.
    fn letter(&mut self, number: NodeNumber, message: raft::Message) {
        let Some(manager) = &self.machine(number).manager else { return };
        if manager.members.removed.contains(&message.from) {
            if let Some(&home) = self.homes.get(&message.from) {
                self.converse(number, home, Mail::Removed(message.from));
            }
        } else if manager.id == message.to {
            self.tell_manager(number, Told::Letter(message));
        }
    }

    fn begin_write(&mut self, number: NodeNumber, write: Write) {
        let takes = Duration::from_micros(100 + self.chance.below(WRITE_MAX.as_micros() as u64));
        let machine = self.machine_mut(number);
        let life = machine.manager_life;
        if let Some(disk) = &mut machine.disk {
            disk.begin(write);
            let event = if std::mem::take(&mut disk.trips) { Event::Trips } else { Event::Writes };
            self.agenda.put_after(takes, event(number, life));
        }
    }

    /// The first write that waits is on the disk.
    pub(crate) fn write(&mut self, number: NodeNumber) {
        let Some(write) = self.machine_mut(number).disk.as_mut().and_then(Disk::end) else { return };
        if let Write::Persist(persist) = &write
            && let Some(first) = persist.entries.first()
        {
            let disk = self.machine(number).disk.as_ref().expect("it was written to");
            let before = match (disk.entry(first.index - 1), &disk.stored().snapshot) {
                (Some(entry), _) => Some(entry.term),
                (None, Some(snapshot)) if snapshot.index == first.index - 1 => Some(snapshot.term),
                (None, _) => (first.index == 1).then_some(0),
            };
            match before {
                Some(term) => {
                    let before = Position { index: first.index - 1, term };
                    self.truth.stored(number, before, &persist.entries);
                }
                None => self.truth.broke("a log has no gaps", format!("{number:?} before {}", first.index)),
            }
        }
        self.tell_manager(number, Told::Written(write));
    }

    /// A disk has no room, or has some again and will do its next writes.
    pub fn fill_disk(&mut self, number: NodeNumber, is_full: bool) {
        let life = self.machine(number).manager_life;
        let Some(disk) = &mut self.machines[number.0 as usize].disk else { return };
        if is_full && !disk.is_full {
            self.truth.tally.count(Blow::DiskFull);
        }
        disk.is_full = is_full;
        disk.trips &= is_full;
        let waiting = if is_full { 0 } else { disk.waiting() };
        for _ in 0..waiting {
            self.agenda.put_after(Duration::ZERO, Event::Writes(number, life));
        }
    }

    /// A disk is put into a machine.
    pub(crate) fn settle(&mut self, number: NodeNumber, disk: Disk) {
        self.homes.insert(disk.replica, number);
        let name = self.truth.name(number).to_owned();
        if self.truth.committed() > 0 {
            self.truth.tell(format!("{name} joins the managers"));
            self.truth.tally.count(Blow::ManagerJoins);
        }
        self.machine_mut(number).disk = Some(disk);
    }

    /// Starts the manager of a machine, if it has one that does not run.
    pub(crate) fn start_manager(&mut self, number: NodeNumber) {
        let uptime = self.machine(number).clock.uptime(self.now());
        let chance = Chance::from_number(self.chance.number());
        let machine = &mut self.machines[number.0 as usize];
        let (Some(disk), None) = (&machine.disk, &machine.manager) else { return };
        let config = raft::Config { id: disk.replica, ..self.plan.habits.clone() };
        let stored = disk.stored();
        let replica = (self.plan.replica)(number, config, stored, chance, uptime);
        machine.manager = Some(Manager::start((disk.replica, number), stored, replica, &self.archive));
        machine.node.is_manager = true;
        self.tell_manager(number, Told::Wake);
    }

    /// Ends the manager of a machine without warning.
    pub fn crash_manager(&mut self, number: NodeNumber) {
        let machine = &mut self.machines[number.0 as usize];
        machine.manager_life += 1;
        machine.wake = None;
        machine.lost.clear();
        machine.node.is_manager = false;
        let Some(mut manager) = machine.manager.take() else { return };
        if matches!(manager.lead, Lead::Established { .. }) {
            self.truth.tally.count(Blow::LeaderFalls);
        }
        if let Some(disk) = &mut machine.disk {
            match disk.crash(&mut self.chance) {
                Some(Remains::Part) => self.truth.tally.count(Blow::TornWrite),
                Some(Remains::Nothing) => self.truth.tally.count(Blow::LostWrite),
                Some(Remains::Everything) | None => {}
            }
        }
        for posted in manager.end() {
            self.post(number, posted);
        }
        self.hang_up_with(number);
    }

    /// Whoever spoke with the leader by way of this manager notices.
    fn hang_up_with(&mut self, number: NodeNumber) {
        for (asker, session) in self.callers(number) {
            let route = Route { asker: Asker::Machine(asker), relay: None };
            self.post(number, (route, Reply::Broken(session)));
        }
    }

    fn callers(&self, number: NodeNumber) -> Vec<(NodeNumber, SessionId)> {
        let calls =
            |machine: &Machine| machine.node.call_by(number).map(|session| (machine.node.number(), session));
        self.machines.iter().filter_map(calls).collect()
    }

    /// A manager is no longer in the group: nothing of it stays.
    fn wipe(&mut self, number: NodeNumber) {
        let name = self.truth.name(number).to_owned();
        self.truth.tell(format!("{name} leaves the managers"));
        self.truth.tally.count(Blow::ManagerLeaves);
        self.crash_manager(number);
        self.machine_mut(number).disk = None;
        self.appoint(number, self.machine(number).role);
    }

    /// A node was told what it is in the swarm.
    pub(crate) fn appoint(&mut self, number: NodeNumber, role: NodeRole) {
        let machine = self.machine_mut(number);
        machine.role = role;
        match (role, machine.disk.is_some()) {
            (NodeRole::Manager, false) => self.agenda.put_after(Duration::ZERO, Event::Joins(number)),
            (NodeRole::Worker, true) => self.wipe(number),
            _ => {}
        }
    }

    /// A machine asks to be let into the group, and goes on asking.
    pub(crate) fn join(&mut self, number: NodeNumber) {
        let machine = &self.machines[number.0 as usize];
        if machine.role != NodeRole::Manager || machine.disk.is_some() || !machine.node.is_up {
            return;
        }
        let via = machine.node.any_manager(&mut self.chance);
        let ticket = self.ticket();
        let route = Route { asker: Asker::Machine(number), relay: None };
        self.converse(number, via, Mail::Ask(route, Question::Join(ticket, number)));
        self.agenda.put_after(JOIN_AGAIN, Event::Joins(number));
    }

    /// Looks at what was committed for the first time.
    pub(crate) fn check_fresh(&mut self) {
        for fresh in std::mem::take(&mut self.truth.fresh) {
            let disk =
                |id| self.machine(*self.homes.get(&id)?).disk.as_ref().filter(|disk| disk.replica == id);
            if let Err(what) = checks::durable(&fresh, disk) {
                self.truth.broke("what is committed is on most disks", what);
            }
        }
        for number in std::mem::take(&mut self.truth.elected) {
            let Some(disk) = &self.machine(number).disk else { continue };
            if let Err(what) = checks::complete(self.truth.entries(), disk) {
                self.truth.broke("whoever leads has all that is committed", what);
            }
        }
    }

    /// Looks whether a removal leaves a majority that can be reached.
    pub(crate) fn check_dismissal(&mut self, number: NodeNumber, replica: ReplicaId) {
        let machine = self.machine(number);
        let Some(manager) = &machine.manager else { return };
        let now = self.now();
        let is_there = |id| {
            let home = self.homes.get(&id);
            let lost = home.and_then(|home| machine.lost.get(home));
            lost.is_none_or(|since| now.since(*since) < LOST_FOR_SURE)
        };
        if let Err(what) = checks::quorum(manager.applied().1, replica, is_there) {
            self.truth.broke("no dismissal costs the majority", what);
        }
    }
}
