//! Who belongs to the group: one change at a time, in effect as soon as it is applied.
//!
//! In: proposals, and committed changes. Out: another group. It judges only what would break Raft; whether a
//! removal leaves enough managers reachable is asked before (`manager`).

use std::sync::Arc;

use crate::election::{Cause, Role};
use crate::entry::{ConfChange, ConfChangeKind, ConfState, Payload};
use crate::message::Ballot;
use crate::output::{Refused, Ticket};
use crate::progress::Progress;
use crate::replica::Replica;

impl ConfState {
    /// The group after the change. A change of replica 0 means nothing; nor does the loss of the last voter.
    pub(crate) fn after(mut self, change: &ConfChange) -> Self {
        let id = change.replica;
        if id == 0 || self.would_be_empty_without(change) {
            return self;
        }
        let list = match change.kind {
            ConfChangeKind::Update => return self,
            ConfChangeKind::Add => Some(true),
            ConfChangeKind::AddLearner => Some(false),
            ConfChangeKind::Remove => None,
        };
        self.voters.retain(|voter| *voter != id);
        self.learners.retain(|learner| *learner != id);
        match list {
            Some(true) => self.voters.push(id),
            Some(false) => self.learners.push(id),
            None => {}
        }
        self.voters.sort_unstable();
        self.learners.sort_unstable();
        self
    }

    /// Whether the change takes the last voter away.
    fn would_be_empty_without(&self, change: &ConfChange) -> bool {
        let takes = matches!(change.kind, ConfChangeKind::Remove | ConfChangeKind::AddLearner);
        takes && self.voters == [change.replica]
    }
}

impl Replica {
    /// Puts a change of the group into the log, unless another is under way.
    pub(crate) fn propose_change(&mut self, ticket: Ticket, change: ConfChange) {
        let next = self.log.last().index + 1;
        let Role::Leader(reign) = &mut self.role else { return self.refuse(ticket, Refused::NotLeader) };
        if reign.changes > self.log.applied() {
            return self.refuse(ticket, Refused::ChangePending);
        }
        if self.members.would_be_empty_without(&change) {
            return self.refuse(ticket, Refused::LastVoter);
        }
        if reign.transfer.is_none() {
            reign.changes = next;
        }
        self.propose(ticket, Payload::Change(change));
    }

    /// Takes a committed change into effect.
    pub(crate) fn apply_change(&mut self, change: &ConfChange) {
        let before = Arc::clone(&self.members);
        self.members = Arc::new((*before).clone().after(change));
        if *before == *self.members {
            return;
        }
        self.end_lease();
        let has_left = !self.members.contains(self.config.id);
        if has_left && matches!(self.role, Role::Leader(_)) {
            self.follow(self.term, None);
        }
        self.meet_members();
        let leader_left = self.leader == Some(change.replica) && change.kind == ConfChangeKind::Remove;
        if leader_left && change.replica != self.config.id {
            self.leader = None;
            self.unbind();
            self.hold_election(Ballot::Real, Cause::Silence);
        }
    }

    /// Lets a leader know everyone in the group, and nobody else.
    fn meet_members(&mut self) {
        let last = self.log.last().index;
        let members = Arc::clone(&self.members);
        self.give_up_transfer(|transfer| !members.is_voter(transfer.to));
        let Role::Leader(reign) = &mut self.role else { return };
        reign.progress.retain(|id, _| self.members.contains(*id));
        for id in self.members.all().filter(|id| *id != self.config.id) {
            // A newcomer gets time to be heard before it counts against the quorum.
            reign.progress.entry(id).or_insert_with(|| Progress { active: true, ..Progress::new(last) });
        }
        self.advance_commit();
        self.broadcast_entries();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(kind: ConfChangeKind, replica: u64) -> (Vec<u64>, Vec<u64>) {
        let state = ConfState { voters: vec![1, 3], learners: vec![2] };
        let change = ConfChange { id: 0, kind, replica, context: Arc::from([]) };
        let ConfState { voters, learners } = state.after(&change);
        (voters, learners)
    }

    #[test]
    fn a_change_moves_one_replica() {
        assert_eq!(after(ConfChangeKind::Add, 2), (vec![1, 2, 3], vec![]));
        assert_eq!(after(ConfChangeKind::Add, 1), (vec![1, 3], vec![2]));
        assert_eq!(after(ConfChangeKind::AddLearner, 3), (vec![1], vec![2, 3]));
        assert_eq!(after(ConfChangeKind::Remove, 3), (vec![1], vec![2]));
        assert_eq!(after(ConfChangeKind::Update, 9), (vec![1, 3], vec![2]));
        assert_eq!(after(ConfChangeKind::Add, 0), (vec![1, 3], vec![2]));
    }

    #[test]
    fn the_last_voter_stays() {
        let state = ConfState { voters: vec![1], learners: vec![] };
        let change = ConfChange { id: 0, kind: ConfChangeKind::Remove, replica: 1, context: Arc::from([]) };
        assert_eq!(state.clone().after(&change), state);
    }
}
