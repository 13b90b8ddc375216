//! Decides what the swarm should look like: orchestrates, allocates, schedules, dispatches.
//!
//! In: questions, what nodes say, what was committed, time. Out: one proposal at a time, and, once it is
//! committed, answers and messages. Everything that waits is drafted together with all its consequences, so
//! one entry of the log serves many askers. A lost proposal means lost leadership: then the leader is dropped,
//! and the next one computes all it needs from the book.

mod agenda;
pub mod allocate;
mod certify;
pub mod dispatch;
pub mod enforce;
#[cfg(test)]
mod fixtures;
mod input;
mod keyring;
mod orchestrate;
mod reap;
mod request;
mod requests;
mod restart;
mod roles;
mod round;
pub mod schedule;
mod succession;
mod update;

pub use input::{
    Assignment, AssignmentChange, Assignments, Input, Member, Output, Peer, SessionEvent, SessionMessage,
    SignRequest, Successor, Tell, Ticket,
};
pub use request::{Answer, Founding, Request, Rollback, Rotation};
pub use requests::seen_in;
pub use roles::can_spare;
pub use update::is_up_to_date;

use std::collections::VecDeque;

use model::limits::REQUESTS_WAITING_MAX;
use model::{Chance, Cx, Duration, Machine, NodeId, Refusal, RefusalKind, Timestamp};
use store::{Change, Draft, State};

use certify::Certifier;
use dispatch::Dispatcher;
use keyring::Keyring;
use roles::Roles;
use round::Deciders;
use succession::Succession;

/// The one who decides what the swarm should look like.
#[derive(Debug)]
pub struct Leader {
    state: State,
    /// By how much the book is ahead of this manager's clock. Time never goes back in the book: what an earlier
    /// leader has stamped with a clock that was ahead would be due much too late.
    ahead: Duration,
    chance: Chance,
    waiting: VecDeque<(Ticket, Request)>,
    flight: Option<Flight>,
    /// Since when a draft has waited for those to be answered whose proposal was committed.
    postponed: Option<Timestamp>,
    deciders: Deciders,
    dispatcher: Dispatcher,
    certifier: Certifier,
    keyring: Keyring,
    roles: Roles,
    succession: Succession,
}

/// What was proposed and is not committed yet, and what is to be said then.
#[derive(Debug)]
struct Flight {
    changes: Vec<Change>,
    answers: Vec<(Ticket, Answer)>,
}

impl Machine for Leader {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let now = now + self.ahead;
        let mut wishes = Vec::new();
        self.postponed = None;
        self.hear(input, now, &mut wishes);
        if self.postponed.is_none() {
            wishes.extend(self.draft(now));
        }
        wishes.extend(self.certifier.wishes(&self.state, now));
        wishes.extend(self.roles.wishes(&self.state, now));
        wishes.extend(self.succession.wishes(&self.state, now));
        wishes
    }

    fn wake_at(&self) -> Option<Timestamp> {
        let outside = [self.certifier.wake_at(), self.roles.wake_at()];
        let drafts = [
            self.deciders.wake_at(),
            self.dispatcher.wake_at(),
            self.keyring.wake_at(),
            self.succession.wake_at(&self.state),
        ];
        // While a proposal is in flight nothing can be drafted: its commit will look at the clock.
        let drafts = drafts.into_iter().filter(|_| self.flight.is_none());
        outside.into_iter().chain(drafts).chain([self.postponed]).flatten().min().map(|at| at - self.ahead)
    }
}

impl Leader {
    /// A leader over this book, on the node `me`. It must be handed [`Input::Wake`] to begin.
    pub fn new(state: &State, me: NodeId, chance: Chance, now: Timestamp) -> Self {
        let ahead = state.newest().since(now);
        let now = now + ahead;
        Self {
            state: state.clone(),
            ahead,
            chance,
            waiting: VecDeque::new(),
            flight: None,
            postponed: None,
            deciders: Deciders::of(state),
            dispatcher: Dispatcher::of(state, Some(me), now),
            certifier: Certifier::of(state),
            keyring: Keyring::of(now),
            roles: Roles::default(),
            succession: Succession::of(now),
        }
    }

    /// What it keeps for speed and yet differs from the book, if anything does: a bug. For the simulator, to be
    /// asked while no proposal is in flight.
    pub fn differs_from(&self, state: &State) -> Option<&'static str> {
        self.deciders.differ_from(state)
    }

    fn hear(&mut self, input: Input, now: Timestamp, wishes: &mut Vec<Output>) {
        match input {
            Input::Ask(ticket, request) => wishes.extend(self.ask(ticket, request)),
            Input::Session(node, event) => {
                let cx = &mut Cx { now, chance: &mut self.chance };
                wishes.extend(self.dispatcher.hear(&self.state, node, event, cx));
            }
            Input::Signed(node, result) => self.certifier.hear(node, result),
            Input::Studied(successor) => self.succession.hear(*successor),
            Input::Members(members) => self.roles.hear(members),
            Input::Committed(state) => wishes.extend(self.committed(*state, now)),
            Input::Wake => {}
            Input::Together(inputs) => inputs.into_iter().for_each(|input| self.hear(input, now, wishes)),
        }
    }

    fn ask(&mut self, ticket: Ticket, request: Request) -> Option<Output> {
        if self.waiting.len() >= REQUESTS_WAITING_MAX {
            let refusal = Refusal::new(RefusalKind::Unavailable, "too many requests are waiting");
            return Some(Output::Answer(ticket, Err(refusal)));
        }
        self.waiting.push_back((ticket, request));
        None
    }

    /// Takes in the new book; if it holds what was proposed, says so to all who waited for it.
    fn committed(&mut self, state: State, now: Timestamp) -> Vec<Output> {
        self.state = state;
        let held = |flight: &mut Flight| flight.changes.iter().all(|change| self.state.holds(change));
        let Some(flight) = self.flight.take_if(held) else { return Vec::new() };
        self.deciders.committed(&flight.changes);
        self.certifier.committed(&flight.changes);
        let mut wishes = answers(flight.answers);
        // Drafting takes its time: whoever waits for an answer gets it first.
        self.postponed = (!wishes.is_empty()).then_some(now);
        wishes.extend(self.dispatcher.committed(&self.state, &flight.changes, now));
        wishes
    }

    /// Drafts all that waits, with all its consequences, unless a proposal is in flight.
    fn draft(&mut self, now: Timestamp) -> Vec<Output> {
        if self.flight.is_some() || !self.wants_draft(now) {
            return Vec::new();
        }
        let mut draft = Draft::of(&self.state, now);
        let (mut wishes, granted) = self.judge(&mut draft, now);
        let cx = &mut Cx { now, chance: &mut self.chance };
        self.dispatcher.draft(&mut draft, cx);
        self.certifier.draft(&mut draft);
        self.succession.draft(&mut draft);
        self.roles.draft(&mut draft);
        self.keyring.draft(&mut draft, cx);
        self.deciders.round(&mut draft, cx);

        let granted = granted.into_iter().map(|(ticket, answer)| (ticket, requests::seen_in(answer, &draft)));
        let granted: Vec<(Ticket, Answer)> = granted.collect();
        let changes = draft.into_changes();
        if changes.is_empty() {
            wishes.extend(answers(granted));
            wishes.extend(self.dispatcher.committed(&self.state, &[], now));
        } else {
            wishes.push(Output::Propose(changes.clone()));
            self.flight = Some(Flight { changes, answers: granted });
        }
        wishes
    }

    fn wants_draft(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty()
            || self.dispatcher.wants_draft(now)
            || self.certifier.wants_draft()
            || self.roles.wants_draft()
            || self.keyring.wants_draft(&self.state, now)
            || self.succession.wants_draft(&self.state, now)
            || self.deciders.want_round(now)
    }

    /// Judges the waiting requests one after the other, each on the draft so far. A no is said at once, a yes
    /// when it is committed.
    fn judge(&mut self, draft: &mut Draft, now: Timestamp) -> (Vec<Output>, Vec<(Ticket, Answer)>) {
        let (mut refused, mut granted) = (Vec::new(), Vec::new());
        while !draft.is_full() {
            let Some((ticket, request)) = self.waiting.pop_front() else { break };
            let cx = &mut Cx { now, chance: &mut self.chance };
            match requests::judge(draft, request, cx) {
                Ok(answer) => granted.push((ticket, answer)),
                Err(refusal) => refused.push(Output::Answer(ticket, Err(refusal))),
            }
        }
        (refused, granted)
    }
}

fn answers(granted: Vec<(Ticket, Answer)>) -> Vec<Output> {
    granted.into_iter().map(|(ticket, answer)| Output::Answer(ticket, Ok(answer))).collect()
}

#[cfg(test)]
mod tests;
