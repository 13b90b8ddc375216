//! How entries reach every log: the leader sends and counts, the follower compares and answers.
//!
//! An entry stands for ever once a majority has it on disk and it, or one behind it, is of the leader's own
//! reign. It elects nobody (`election`).

use crate::election::Role;
use crate::entry::{Entry, Index, Payload, ReplicaId};
use crate::log::Appended;
use crate::message::{Body, Position};
use crate::output::{Output, Refused, Ticket};
use crate::progress::Flow;
use crate::quorum;
use crate::replica::Replica;

/// Whether a message without entries is worth sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    /// It carries news of a commit, or probes.
    Send,
    /// It is not.
    Skip,
}

impl Replica {
    /// Puts something into the log, if this replica leads.
    pub(crate) fn propose(&mut self, ticket: Ticket, payload: Payload) {
        let why = match &self.role {
            Role::Leader(reign) if reign.transfer.is_some() => Some(Refused::HandingOver),
            Role::Leader(_) if self.members.contains(self.config.id) => None,
            Role::Leader(_) | Role::Follower | Role::Candidate { .. } => Some(Refused::NotLeader),
        };
        match why {
            Some(why) => self.refuse(ticket, why),
            None => {
                let at = self.log.push(self.term, payload);
                self.out.wish(Output::Accepted { ticket, at });
                self.broadcast_entries();
            }
        }
    }

    pub(crate) fn broadcast_entries(&mut self) {
        for to in self.followers() {
            self.send_entries(to, Empty::Send);
        }
    }

    /// Tells everyone that it still leads.
    pub(crate) fn broadcast_heartbeat(&mut self) {
        let committed = self.log.committed();
        for (to, context) in self.beats() {
            let Role::Leader(reign) = &self.role else { return };
            let commit = reign.progress.get(&to).map_or(0, |progress| progress.matched.min(committed));
            self.say(to, Body::Heartbeat { commit, context });
        }
    }

    /// Lets stand what a majority has on disk, and everyone who may read without asking; tells the others.
    pub(crate) fn advance_commit(&mut self) {
        let Role::Leader(reign) = &self.role else { return };
        let stable = self.log.stable();
        let matched = |id: &ReplicaId| match reign.progress.get(id) {
            Some(progress) => progress.matched,
            None if *id == self.config.id => stable,
            None => 0,
        };
        let reached = quorum::reached(self.members.voters.iter().map(matched)).min(reign.allowed(self.now));
        if self.log.term(reached) == Some(self.term) && self.log.commit_to(reached) {
            self.broadcast_entries();
            self.answer_early();
        }
    }

    pub(crate) fn on_append(
        &mut self,
        from: ReplicaId,
        previous: Position,
        entries: Vec<Entry>,
        commit: Index,
    ) {
        if !self.heed(from) {
            return;
        }
        if previous.index < self.log.committed() {
            self.say(from, Body::Appended { index: self.log.committed() });
            return;
        }
        match self.log.append(previous, entries) {
            Appended::UpTo(index) => {
                self.log.commit_to(commit.min(index));
                self.say(from, Body::Appended { index });
            }
            Appended::Missing => {
                let hint = self.log.may_agree(previous);
                self.say(from, Body::AppendRejected { index: previous.index, hint });
            }
            Appended::Unlawful => {}
        }
    }

    pub(crate) fn on_heartbeat(&mut self, from: ReplicaId, commit: Index, context: Vec<u8>) {
        if self.heed(from) {
            self.log.commit_to(commit);
            let context = self.answer_beat(context);
            self.say(from, Body::HeartbeatHeard { context });
        }
    }

    pub(crate) fn on_appended(&mut self, from: ReplicaId, index: Index) {
        let (first, last) = (self.log.first(), self.log.last().index);
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(progress) = reign.progress.get_mut(&from) else { return };
        progress.active = true;
        if index > last {
            return; // It cannot have what we never sent.
        }
        let was_stuck = progress.is_paused() || !progress.may_carry(self.config.inflight_max);
        progress.acknowledged(index, first);
        self.advance_commit();
        if was_stuck {
            self.send_entries(from, Empty::Send);
        }
        while self.send_entries(from, Empty::Skip) {}
        self.hand_over_if_ready(from);
    }

    pub(crate) fn on_append_rejected(&mut self, from: ReplicaId, index: Index, hint: Position) {
        let agreed = if hint.term > 0 { self.log.may_agree(hint).index } else { hint.index };
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(progress) = reign.progress.get_mut(&from) else { return };
        progress.active = true;
        if progress.rejected(index, agreed) {
            self.send_entries(from, Empty::Send);
        }
    }

    pub(crate) fn on_heartbeat_heard(&mut self, from: ReplicaId, context: &[u8]) {
        let last = self.log.last().index;
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(progress) = reign.progress.get_mut(&from) else { return };
        progress.active = true;
        progress.resume();
        if progress.matched < last || matches!(progress.flow, Flow::Probe { .. }) {
            self.send_entries(from, Empty::Send);
        }
        if let Some(mark) = self.on_beat_answered(from, context) {
            self.reader_confirmed(from, mark);
        }
    }

    /// A message got lost: what was sent without waiting has to be compared again.
    pub(crate) fn unreachable(&mut self, id: ReplicaId) {
        let Role::Leader(reign) = &mut self.role else { return };
        if let Some(progress) = reign.progress.get_mut(&id)
            && matches!(progress.flow, Flow::Replicate { .. })
        {
            progress.probe();
        }
    }

    pub(crate) fn feed(&mut self, to: ReplicaId) {
        self.send_entries(to, Empty::Send);
    }

    /// Sends what a follower lacks, as far as it may be sent now; whether anything was sent.
    fn send_entries(&mut self, to: ReplicaId, empty: Empty) -> bool {
        let Role::Leader(reign) = &mut self.role else { return false };
        let Some(progress) = reign.progress.get_mut(&to) else { return false };
        if progress.is_paused() {
            return false;
        }
        let previous = progress.next - 1;
        let bytes_max = self.config.message_bytes_max;
        let (Some(term), Some(mut entries)) =
            (self.log.term(previous), self.log.entries_from(progress.next, bytes_max))
        else {
            self.want_snapshot(to);
            return false;
        };
        if !progress.may_carry(self.config.inflight_max) {
            entries.clear();
        }
        if entries.is_empty() && empty == Empty::Skip {
            return false;
        }
        progress.sent(previous + entries.len() as Index);
        let previous = Position { index: previous, term };
        self.say(to, Body::Append { previous, entries, commit: self.log.committed() });
        true
    }

    fn followers(&self) -> Vec<ReplicaId> {
        match &self.role {
            Role::Leader(reign) => reign.progress.keys().copied().collect(),
            Role::Follower | Role::Candidate { .. } => Vec::new(),
        }
    }
}
