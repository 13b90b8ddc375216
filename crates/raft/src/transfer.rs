//! How leadership is handed to a chosen replica.
//!
//! The leader takes no more proposals, brings the successor up to date, waits until nothing is lent to anyone any more
//! (`lease`), and tells it to hold an election at once. If that does not happen within an election timeout from when
//! nothing is lent, it goes on as before.

use model::Timestamp;

use crate::election::{Cause, Reign, Role};
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

impl Reign {
    /// When to look at a handover again.
    pub(crate) fn transfer_due(&self, now: Timestamp) -> Option<Timestamp> {
        let transfer = self.transfer?;
        Some(self.lent_until()).filter(|until| *until > now).into_iter().chain([transfer.due]).min()
    }
}

impl Replica {
    /// Begins a handover, or passes the wish on to the leader.
    pub(crate) fn transfer_leader(&mut self, to: ReplicaId) {
        let (now, timeout) = (self.now, self.election_timeout());
        let own = self.config.id;
        match (&mut self.role, self.leader) {
            (Role::Leader(reign), _) => {
                let is_same = reign.transfer.is_some_and(|transfer| transfer.to == to);
                if to == own || is_same || !self.members.is_voter(to) {
                    return;
                }
                let due = reign.lent_until().max(now) + timeout;
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

    /// Goes on with a handover, if there is one.
    pub(crate) fn hand_over(&mut self) {
        if let Role::Leader(Reign { transfer: Some(transfer), .. }) = self.role {
            self.hand_over_if_ready(transfer.to);
        }
    }

    /// Tells the successor to go ahead, once it has everything and nobody reads by this leader's word.
    pub(crate) fn hand_over_if_ready(&mut self, to: ReplicaId) -> bool {
        let last = self.log.last().index;
        let Role::Leader(reign) = &mut self.role else { return false };
        let is_chosen = reign.transfer.is_some_and(|transfer| transfer.to == to);
        let has_all = reign.progress.get(&to).is_some_and(|progress| progress.matched == last);
        let is_ready = is_chosen && has_all && reign.lent_until() <= self.now;
        if is_ready {
            reign.has_let_go = true;
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
