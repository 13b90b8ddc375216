//! Who leads: reigns, votes, and the patience that elections rest on.
//!
//! In: votes, answers, the time. Out: a change of role. A reign begins with an entry that says nothing, so that
//! what earlier reigns left behind can be committed. It copies no logs (`replication`).

use std::collections::BTreeMap;

use model::{Duration, Timestamp};

use crate::entry::{HardState, Index, Payload, ReplicaId, Term};
use crate::message::{Ballot, Body, Message, Position};
use crate::output::Refused;
use crate::progress::Progress;
use crate::quorum::{self, Tally};
use crate::read_index::Reads;
use crate::replica::Replica;
use crate::transfer::Transfer;

/// What a replica is at the moment.
#[derive(Debug)]
pub(crate) enum Role {
    /// It hears a leader, or waits for one.
    Follower,
    /// It asks to be one.
    Candidate {
        /// How seriously.
        ballot: Ballot,
        /// What was said so far.
        votes: BTreeMap<ReplicaId, bool>,
    },
    /// It is one.
    Leader(Reign),
}

/// What only a leader knows.
#[derive(Debug)]
pub(crate) struct Reign {
    /// Its own first entry.
    pub(crate) begins: Index,
    /// Everyone else in the group.
    pub(crate) progress: BTreeMap<ReplicaId, Progress>,
    /// The latest entry that changes the group: until it is applied there must be no other.
    pub(crate) changes: Index,
    /// Readers who wait.
    pub(crate) reads: Reads,
    /// A handover that was begun.
    pub(crate) transfer: Option<Transfer>,
    /// It told another to hold an election at once, whatever was promised: no promise counts any more.
    pub(crate) has_let_go: bool,
    /// A snapshot was asked for, and has not come yet.
    pub(crate) awaits_snapshot: bool,
    /// When to say again that it still leads.
    pub(crate) heartbeat_due: Timestamp,
    /// When to count who is still there.
    pub(crate) count_due: Timestamp,
}

/// The patience of a follower.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Woken at least once.
    started: bool,
    /// When patience ends.
    election_due: Timestamp,
    /// Until when no vote is given: a leader may rely on it (`lease`).
    bound: Timestamp,
}

impl Timers {
    /// Of a replica that was just made. It may have promised something in an earlier life.
    pub(crate) fn at(now: Timestamp, bound: Duration) -> Self {
        Self { started: false, election_due: now, bound: now + bound }
    }
}

impl Replica {
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        if !self.timers.started {
            return Some(self.timers.election_due);
        }
        match &self.role {
            Role::Leader(reign) if reign.progress.is_empty() => None,
            Role::Leader(reign) => {
                let transfer = reign.transfer_due(self.now);
                transfer.into_iter().chain([reign.heartbeat_due, reign.count_due]).min()
            }
            Role::Follower | Role::Candidate { .. } if self.may_lead() => Some(self.timers.election_due),
            Role::Follower | Role::Candidate { .. } => None,
        }
    }

    pub(crate) fn wake(&mut self) {
        if !self.timers.started {
            self.timers.started = true;
            self.be_patient();
            self.campaign_if_alone();
        }
        if matches!(self.role, Role::Leader(_)) {
            self.tend_reign();
        } else if self.may_lead() && self.now >= self.timers.election_due {
            let ballot = if self.config.pre_vote { Ballot::Pre } else { Ballot::Real };
            self.hold_election(ballot, Cause::Silence);
        }
    }

    pub(crate) fn election_timeout(&self) -> Duration {
        self.config.election_timeout()
    }

    /// Starts to wait for a leader anew.
    pub(crate) fn be_patient(&mut self) {
        let timeout = self.election_timeout();
        let chance = self.chance.below(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        self.timers.election_due = self.now + timeout + Duration::from_nanos(chance);
    }

    /// Whether a message of another reign is to be heard at all; changes the reign if it is later.
    pub(crate) fn term_allows(&mut self, message: &Message) -> bool {
        let Message { from, to: _, term, body } = message;
        match (term.cmp(&self.term), body) {
            (
                std::cmp::Ordering::Equal | std::cmp::Ordering::Greater,
                Body::Vote { by_transfer: false, .. },
            ) if self.is_bound() => false,
            (std::cmp::Ordering::Equal, _) => true,
            (std::cmp::Ordering::Greater, Body::Vote { ballot: Ballot::Pre, .. }) => true,
            (std::cmp::Ordering::Greater, Body::Voted { ballot: Ballot::Pre, granted: true }) => true,
            (
                std::cmp::Ordering::Greater,
                Body::Append { .. } | Body::Heartbeat { .. } | Body::Snapshot(_),
            ) => {
                self.follow(*term, Some(*from));
                true
            }
            (std::cmp::Ordering::Greater, _) => {
                self.follow(*term, None);
                true
            }
            (std::cmp::Ordering::Less, Body::Append { .. } | Body::Heartbeat { .. }) => {
                // A leader who was cut off must learn that its reign is over, or it would wait for ever.
                self.say(*from, Body::Appended { index: 0 });
                false
            }
            (std::cmp::Ordering::Less, Body::Vote { ballot: Ballot::Pre, .. }) => {
                self.say(*from, Body::Voted { ballot: Ballot::Pre, granted: false });
                false
            }
            (std::cmp::Ordering::Less, _) => false,
        }
    }

    /// Follows in this reign, whoever leads in it. Nothing is lent in it yet; what was lent in its own reign binds.
    pub(crate) fn follow(&mut self, term: Term, leader: Option<ReplicaId>) {
        if term != self.term {
            self.term = term;
            self.vote = 0;
        }
        self.leader = leader;
        self.end_lease();
        if let Role::Leader(reign) = std::mem::replace(&mut self.role, Role::Follower) {
            self.timers.bound = self.timers.bound.max(reign.lent_until());
            for ticket in reign.reads.tickets() {
                self.refuse(ticket, Refused::NotLeader);
            }
        }
        self.be_patient();
    }

    /// Takes in that the leader of this reign was heard; false if it cannot be one.
    pub(crate) fn heed(&mut self, leader: ReplicaId) -> bool {
        match self.role {
            Role::Leader(_) => return false,
            Role::Candidate { .. } => self.follow(self.term, Some(leader)),
            Role::Follower => {
                self.leader = Some(leader);
                self.be_patient();
            }
        }
        self.timers.bound = self.now + self.election_timeout();
        true
    }

    /// Wastes no time where nobody else could lead.
    pub(crate) fn campaign_if_alone(&mut self) {
        if self.members.voters == [self.config.id] && matches!(self.role, Role::Follower) {
            self.hold_election(Ballot::Real, Cause::Silence);
        }
    }

    /// Asks everyone for their vote, if it may.
    pub(crate) fn hold_election(&mut self, ballot: Ballot, cause: Cause) {
        if !self.may_lead() || self.log.has_change_to_apply() {
            self.be_patient();
            return;
        }
        let mut votes = BTreeMap::new();
        self.leader = None;
        self.end_lease();
        match ballot {
            Ballot::Pre => drop(votes.insert(self.config.id, true)),
            Ballot::Real => {
                self.term += 1;
                self.vote = self.config.id; // It counts once it is on disk.
            }
        }
        self.role = Role::Candidate { ballot, votes };
        self.be_patient();
        let asked_term = if ballot == Ballot::Pre { self.term + 1 } else { self.term };
        let body = Body::Vote { ballot, last: self.log.last(), by_transfer: cause == Cause::Transfer };
        for to in self.members.voters.iter().copied().filter(|id| *id != self.config.id) {
            self.out.send(Message { from: self.config.id, to, term: asked_term, body: body.clone() });
        }
        self.count_votes();
    }

    pub(crate) fn on_vote(&mut self, from: ReplicaId, term: Term, ballot: Ballot, last: Position) {
        let is_free = self.vote == from
            || (self.vote == 0 && self.leader.is_none())
            || (ballot == Ballot::Pre && term > self.term);
        let granted = is_free && self.log.is_covered_by(last);
        let answer_term = if granted { term } else { self.term };
        let body = Body::Voted { ballot, granted };
        self.out.send(Message { from: self.config.id, to: from, term: answer_term, body });
        if granted && ballot == Ballot::Real {
            self.vote = from;
            self.be_patient();
        }
    }

    pub(crate) fn on_voted(&mut self, from: ReplicaId, answered: Ballot, granted: bool) {
        if let Role::Candidate { ballot, votes } = &mut self.role
            && *ballot == answered
        {
            votes.entry(from).or_insert(granted);
            self.count_votes();
        }
    }

    /// Takes in that these promises are on disk; one of them may be the vote for itself.
    pub(crate) fn own_vote_stored(&mut self, stored: HardState) {
        if stored.term == self.term && stored.vote == self.config.id {
            self.on_voted(self.config.id, Ballot::Real, true);
        }
    }

    /// Whether it is a voter with a whole log.
    fn may_lead(&self) -> bool {
        self.members.is_voter(self.config.id)
    }

    /// Whether a leader was heard so lately that an election would only disturb, and may rely on there being none.
    fn is_bound(&self) -> bool {
        let is_leader = matches!(self.role, Role::Leader(_));
        self.config.check_quorum && (is_leader || self.now < self.timers.bound)
    }

    /// The leader has left the group by everyone's consent: it relies on nothing any more.
    pub(crate) fn unbind(&mut self) {
        self.timers.bound = self.now;
    }

    fn count_votes(&mut self) {
        let Role::Candidate { ballot, votes } = &self.role else { return };
        match (quorum::tally(&self.members.voters, votes), *ballot) {
            (Tally::Open, _) => {}
            (Tally::Lost, _) => self.follow(self.term, None),
            (Tally::Won, Ballot::Pre) => self.hold_election(Ballot::Real, Cause::Silence),
            (Tally::Won, Ballot::Real) => self.begin_reign(),
        }
    }

    fn begin_reign(&mut self) {
        let last = self.log.last().index;
        let others = self.members.all().filter(|id| *id != self.config.id);
        let progress = others.map(|id| (id, Progress::new(last))).collect();
        let begins = self.log.push(self.term, Payload::Nothing).index;
        self.leader = Some(self.config.id);
        self.role = Role::Leader(Reign {
            begins,
            progress,
            changes: last,
            reads: Reads::default(),
            transfer: None,
            has_let_go: false,
            awaits_snapshot: false,
            heartbeat_due: self.now + self.config.tick * self.config.heartbeat_ticks,
            count_due: self.now + self.election_timeout(),
        });
        self.broadcast_entries();
    }

    /// What a leader does when woken.
    fn tend_reign(&mut self) {
        let next_heartbeat = self.now + self.config.tick * self.config.heartbeat_ticks;
        let next_count = self.now + self.election_timeout();
        let now = self.now;
        self.give_up_transfer(|transfer| transfer.due <= now);
        self.hand_over();
        let Role::Leader(reign) = &mut self.role else { return };
        let (beats, counts) = (reign.heartbeat_due <= self.now, reign.count_due <= self.now);
        if beats {
            reign.heartbeat_due = next_heartbeat;
            self.broadcast_heartbeat();
        }
        if counts {
            self.count_followers(next_count);
        }
    }

    /// Steps down if a majority was not heard since the last count.
    fn count_followers(&mut self, next: Timestamp) {
        let Role::Leader(reign) = &mut self.role else { return };
        reign.count_due = next;
        let is_there = |id: &&ReplicaId| {
            **id == self.config.id || reign.progress.get(id).is_some_and(|progress| progress.active)
        };
        let there = self.members.voters.iter().filter(is_there).count();
        reign.progress.values_mut().for_each(|progress| progress.active = false);
        if self.config.check_quorum && there < quorum::majority(self.members.voters.len()) {
            self.follow(self.term, None);
        }
    }
}

/// Why an election is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No leader was heard.
    Silence,
    /// The leader asked for it.
    Transfer,
}
