//! The order of the deciders.
//!
//! Each sees what those above it have drafted. What one drafts that concerns another above it is on the agenda
//! again after the commit: so a round ends, and the rounds end when one drafts nothing.

use model::{Cx, Timestamp};
use store::{Change, Draft, State};

use super::agenda::Agenda;
use super::allocate::{self, Pools};
use super::orchestrate;
use super::schedule::{self, Ledger};
use super::{enforce, reap, restart, update};

/// What the deciders keep besides the book, all of it computed from the book.
#[derive(Debug)]
pub(super) struct Deciders {
    agenda: Agenda,
    pools: Pools,
    ledger: Ledger,
    watch: update::Watch,
}

impl Deciders {
    /// Deciders who have everything still to look at.
    pub(super) fn of(state: &State) -> Self {
        Self {
            agenda: Agenda::of(state),
            pools: Pools::of(state),
            ledger: Ledger::of(state),
            watch: update::Watch::default(),
        }
    }

    /// True if a round may find something to do.
    pub(super) fn want_round(&self, now: Timestamp) -> bool {
        self.agenda.wants_round(now) || self.pools.wants_round() || self.ledger.wants_round()
    }

    /// When a round will be wanted although nothing happens.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.agenda.wake_at()
    }

    /// What is kept and yet differs from the book.
    pub(super) fn differ_from(&self, state: &State) -> Option<&'static str> {
        if self.pools != Pools::of(state) {
            return Some("the pools");
        }
        (self.ledger != Ledger::of(state)).then_some("the ledger")
    }

    /// What was committed wants another look, until a round drafts nothing.
    pub(super) fn committed(&mut self, changes: &[Change]) {
        for change in changes {
            self.agenda.note(change);
            self.pools.note(change);
            self.ledger.note(change);
        }
    }

    /// Lets everyone decide about all that is on the agenda. What an overfull draft had no room for stays there.
    pub(super) fn round(&mut self, draft: &mut Draft, cx: &mut Cx<'_>) {
        self.agenda.call_due(cx.now);
        loop {
            self.agenda.call_tasks();
            self.decide(draft, cx);
            if draft.is_full() {
                return self.agenda.put_back();
            }
            self.agenda.clear();
            if !self.agenda.has_waiting() {
                return;
            }
        }
    }

    /// Lets everyone decide, once.
    fn decide(&mut self, draft: &mut Draft, cx: &mut Cx<'_>) {
        self.look(draft);
        orchestrate::run(draft, &self.agenda, cx); //    how many, and in which places
        restart::run(draft, &mut self.agenda, cx); //    what ended: again?
        update::run(draft, &mut self.agenda, &mut self.watch, cx); // what is old: renew
        enforce::run(draft); //                          what no longer fits: out
        allocate::run(draft, &mut self.pools); //        addresses, ports, networks
        schedule::run(draft, &mut self.ledger, cx); //   nodes
        allocate::attach(draft, &mut self.pools); //     addresses of those nodes
        self.look(draft);
        reap::run(draft, &self.agenda); //               what may be forgotten
    }

    /// Puts on the agenda what was drafted so far.
    fn look(&mut self, draft: &Draft) {
        for change in draft.changes() {
            self.agenda.note_now(change);
        }
    }
}
