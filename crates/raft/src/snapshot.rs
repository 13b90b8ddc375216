//! How a follower that is too far behind gets the whole book.
//!
//! The leader keeps no snapshot: it asks the pump for a fresh one when a follower needs it, and goes on with
//! entries behind it. The follower puts it in place of everything it has. What a snapshot says is the shell's.

use std::sync::Arc;

use crate::election::Role;
use crate::entry::{ReplicaId, Snapshot};
use crate::message::Body;
use crate::output::Output;
use crate::progress::Flow;
use crate::replica::{Replica, SnapshotOutcome};

impl Replica {
    /// Asks for a snapshot for a follower, if that follower is there at all.
    pub(crate) fn want_snapshot(&mut self, to: ReplicaId) {
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(progress) = reign.progress.get_mut(&to) else { return };
        if !progress.active {
            return;
        }
        progress.flow = Flow::Snapshot { index: None };
        if !std::mem::replace(&mut reign.awaits_snapshot, true) {
            self.out.wish(Output::SnapshotWanted);
        }
    }

    /// Sends a fresh snapshot to everyone who waits for one.
    pub(crate) fn snapshot_made(&mut self, snapshot: &Snapshot) {
        let Role::Leader(reign) = &mut self.role else { return };
        reign.awaits_snapshot = false;
        let mut receivers = Vec::new();
        for (id, progress) in &mut reign.progress {
            if progress.flow == (Flow::Snapshot { index: None }) {
                progress.flow = Flow::Snapshot { index: Some(snapshot.index) };
                receivers.push(*id);
            }
        }
        for to in receivers {
            self.say(to, Body::Snapshot(snapshot.clone()));
        }
    }

    /// Takes in how sending a snapshot ended. In either case the follower is probed when it next answers.
    pub(crate) fn snapshot_sent(&mut self, to: ReplicaId, outcome: SnapshotOutcome) {
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(progress) = reign.progress.get_mut(&to) else { return };
        let Flow::Snapshot { index } = &mut progress.flow else { return };
        if outcome == SnapshotOutcome::Failed {
            *index = None;
        }
        progress.probe();
        progress.flow = Flow::Probe { asked: true };
    }

    pub(crate) fn on_snapshot(&mut self, from: ReplicaId, snapshot: Snapshot) {
        if !self.heed(from) {
            return;
        }
        // One without this replica in it was made before it was added: the leader will make another.
        let is_for_us = snapshot.members.contains(self.config.id);
        let last = snapshot.index;
        let restored = if is_for_us { self.log.restore(snapshot) } else { None };
        let index = if restored.is_some() { last } else { self.log.committed() };
        if let Some(members) = restored {
            self.end_lease();
            self.members = Arc::new(members);
        }
        self.say(from, Body::Appended { index });
    }
}
