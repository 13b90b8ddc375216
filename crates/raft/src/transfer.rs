//! How leadership is handed to a chosen replica.
//!
//! The leader takes no more proposals, brings the successor up to date, and tells it to hold an election at
//! once. If that does not happen within an election timeout, it goes on as before.

use model::Timestamp;

use crate::election::{Cause, Role};
use crate::entry::ReplicaId;
use crate::message::{Ballot, Body, Message};
use crate::replica::Replica;

/// A handover that was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    /// To whom.
    pub(crate) to: ReplicaId,
    /// When to give up.
    pub(crate) due: Timestamp,
}

impl Replica {
    /// Begins a handover, or passes the wish on to the leader.
    pub(crate) fn transfer_leader(&mut self, to: ReplicaId) {
        let due = self.now + self.election_timeout();
        let own = self.config.id;
        match (&mut self.role, self.leader) {
            (Role::Leader(reign), _) => {
                let is_same = reign.transfer.is_some_and(|transfer| transfer.to == to);
                if to == own || is_same || !self.members.is_voter(to) {
                    return;
                }
                reign.transfer = Some(Transfer { to, due });
                if !self.hand_over_if_ready(to) {
                    self.feed(to);
                }
            }
            (Role::Follower, Some(leader)) => {
                self.out.send(Message { from: to, to: leader, term: self.term, body: Body::TransferLeader });
            }
            (Role::Follower | Role::Candidate { .. }, _) => {}
        }
    }

    /// Gives up a handover that comes to nothing. Who then proposes must know all that was proposed before it: so
    /// the reign counts as begun anew.
    pub(crate) fn give_up_transfer(&mut self, is_vain: impl Fn(&Transfer) -> bool) {
        let last = self.log.last().index;
        if let Role::Leader(reign) = &mut self.role
            && reign.transfer.take_if(|transfer| is_vain(transfer)).is_some()
        {
            reign.begins = last;
        }
    }

    /// Tells the successor to go ahead, once it has everything.
    pub(crate) fn hand_over_if_ready(&mut self, to: ReplicaId) -> bool {
        let Role::Leader(reign) = &self.role else { return false };
        let is_chosen = reign.transfer.is_some_and(|transfer| transfer.to == to);
        let last = self.log.last().index;
        let is_ready = is_chosen && reign.progress.get(&to).is_some_and(|progress| progress.matched == last);
        if is_ready {
            self.say(to, Body::TimeoutNow);
        }
        is_ready
    }

    pub(crate) fn on_timeout_now(&mut self) {
        if matches!(self.role, Role::Follower) {
            self.hold_election(Ballot::Real, Cause::Transfer);
        }
    }
}
