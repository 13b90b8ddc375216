//! The leader, while a manager leads: made of the book when leadership is established, dropped when it is lost.
//!
//! In: the manager's news, questions. Out: proposals, replies, dismissals. It is a pump and decides nothing.

use control::leader::{Input, Leader, Output};
use model::{Chance, Machine, NodeId, Timestamp};
use store::{Change, State};

use crate::desk::{Desk, Posted};

/// What the leader wishes of its manager.
#[derive(Debug)]
pub enum Wish {
    /// Put these changes into the log; they are the proposal of this number.
    Propose(u64, Vec<Change>),
    /// Send this.
    Post(Posted),
    /// Take this node out of the group.
    Dismiss(NodeId),
    /// Let this node lead instead.
    HandOver(NodeId),
}

/// The leader and its desk.
#[derive(Debug, Default)]
pub struct Office {
    leader: Option<Leader>,
    /// Who waits there.
    pub desk: Desk,
    last_proposal: u64,
    in_flight: Option<u64>,
}

impl Office {
    /// True while there is a leader in it.
    pub fn is_open(&self) -> bool {
        self.leader.is_some()
    }

    /// Leadership is established over this book.
    pub fn open(&mut self, book: &State, me: NodeId, chance: Chance, now: Timestamp) {
        self.leader = Some(Leader::new(book, me, chance, now));
    }

    /// Leadership is lost.
    pub fn close(&mut self) -> Vec<Posted> {
        self.leader = None;
        self.in_flight = None;
        self.desk.close()
    }

    /// The book moved on, with this proposal in it. While one is in flight, only the book that holds it matters.
    pub fn committed(&mut self, book: &State, proposal: Option<u64>) -> Option<Input> {
        if self.leader.is_none() || (self.in_flight.is_some() && self.in_flight != proposal) {
            return None;
        }
        self.in_flight = None;
        Some(Input::Committed(Box::new(book.clone())))
    }

    /// Hands something to the leader.
    pub fn tell(&mut self, now: Timestamp, input: Input) -> Vec<Wish> {
        let Some(leader) = &mut self.leader else { return Vec::new() };
        let outputs = leader.handle(now, input);
        outputs.into_iter().filter_map(|output| self.wish(output)).collect()
    }

    /// When the leader wants to be woken.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.leader.as_ref().and_then(Machine::wake_at)
    }

    /// True if the leader goes on at once, without anything new.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        self.wake_at().is_some_and(|at| at <= now)
    }

    /// True if nothing is in flight, so that the leader has nothing to wait for.
    pub fn is_idle(&self) -> bool {
        self.leader.is_some() && self.in_flight.is_none()
    }

    /// What the leader keeps for speed and yet differs from the book.
    pub fn differs_from(&self, book: &State) -> Option<&'static str> {
        self.leader.as_ref()?.differs_from(book)
    }

    fn wish(&mut self, output: Output) -> Option<Wish> {
        match output {
            Output::Propose(changes) => {
                assert!(self.in_flight.is_none(), "one proposal in flight");
                self.last_proposal += 1;
                self.in_flight = Some(self.last_proposal);
                Some(Wish::Propose(self.last_proposal, changes))
            }
            Output::Answer(ticket, answer) => self.desk.answer(ticket, answer).map(Wish::Post),
            Output::Tell(node, session, tell) => self.desk.tell(node, session, tell).map(Wish::Post),
            Output::Dismiss(node) => Some(Wish::Dismiss(node)),
            Output::HandOver(node) => Some(Wish::HandOver(node)),
            Output::Sign(..) | Output::Study(_) => None, // No machine here asks for a certificate.
        }
    }
}
