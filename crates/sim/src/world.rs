//! The agenda: a map from (time, sequence) to what happens. Nothing else moves.
//!
//! In: events with the time at which they shall happen. Out: the next one. Two events of the same time happen in
//! the order in which they were put down, so that a run is a pure function of its seed. It knows no event.

use std::collections::BTreeMap;

use model::{Duration, Timestamp};

/// What is to happen, in order.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Timestamp,
    sequence: u64,
    events: BTreeMap<(Timestamp, u64), E>,
}

impl<E> Agenda<E> {
    /// Nothing happens yet, and it is this time.
    pub fn at(now: Timestamp) -> Self {
        Self { now, sequence: 0, events: BTreeMap::new() }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Puts down an event; one of the past happens now.
    pub fn put(&mut self, at: Timestamp, event: E) {
        self.sequence += 1;
        self.events.insert((at.max(self.now), self.sequence), event);
    }

    /// Puts down an event that happens so much later.
    pub fn put_after(&mut self, delay: Duration, event: E) {
        self.put(self.now + delay, event);
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets the next thing happen, if it happens until then.
    pub fn take_until(&mut self, end: Timestamp) -> Option<E> {
        let entry = self.events.first_entry().filter(|entry| entry.key().0 <= end)?;
        self.now = entry.key().0;
        Some(entry.remove())
    }

    /// Lets time pass although nothing happens.
    pub fn pass_until(&mut self, end: Timestamp) {
        debug_assert!(self.next_at().is_none_or(|at| at > end), "nothing is left behind");
        self.now = self.now.max(end);
    }
}
