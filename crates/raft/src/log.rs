//! The log in memory: entries, which of them are on disk, which stand for ever, which were applied.
//!
//! `base` is the last entry that was forgotten; entries follow it without gaps. Always
//! `applied <= committed`, and what is handed out to be applied is also stable. It does not know who leads.

use std::collections::VecDeque;

use crate::entry::{ConfState, Entry, Index, Payload, Snapshot, Stored, Term};
use crate::message::Position;

/// The log of one replica.
#[derive(Debug)]
pub(crate) struct Log {
    base: Position,
    entries: VecDeque<Entry>,
    /// What the entries weigh together.
    bytes: usize,
    stable: Index,
    committed: Index,
    applied: Index,
    /// A snapshot that replaced everything, until it is on disk and handed out.
    restoring: Option<Snapshot>,
}

/// What came of entries that a leader sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The logs agree up to here.
    UpTo(Index),
    /// The entry before them is not here.
    Missing,
    /// They contradict what stands for ever, or themselves: no lawful leader says so.
    Unlawful,
}

impl Log {
    /// The log as it was stored.
    pub(crate) fn new(stored: &Stored) -> Self {
        let base = stored
            .snapshot
            .as_ref()
            .map_or(Position::default(), |s| Position { index: s.index, term: s.term });
        let entries: VecDeque<Entry> =
            stored.entries.iter().filter(|entry| entry.index > base.index).cloned().collect();
        let last = entries.back().map_or(base.index, |entry| entry.index);
        Self {
            base,
            bytes: entries.iter().map(Entry::size).sum(),
            entries,
            stable: last,
            committed: stored.hard_state.commit.clamp(base.index, last),
            applied: base.index,
            restoring: None,
        }
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Position {
        self.entries.back().map_or(self.base, |entry| Position { index: entry.index, term: entry.term })
    }

    /// The first entry that is still here, or would be.
    pub(crate) fn first(&self) -> Index {
        self.base.index + 1
    }

    /// Up to where entries are on disk.
    pub(crate) fn stable(&self) -> Index {
        self.stable
    }

    /// Up to where entries stand for ever.
    pub(crate) fn committed(&self) -> Index {
        self.committed
    }

    /// Up to where entries were handed out to be applied.
    pub(crate) fn applied(&self) -> Index {
        self.applied
    }

    /// The reign of the entry, if it is known here.
    pub(crate) fn term(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.slot(index).map(|slot| self.entries[slot].term)
    }

    /// Whether a log that ends there holds at least all that this one does.
    pub(crate) fn is_covered_by(&self, last: Position) -> bool {
        let own = self.last();
        (last.term, last.index) >= (own.term, own.index)
    }

    /// The latest place, not behind `at`, whose reign is not later than `at`'s: the logs cannot agree behind it.
    pub(crate) fn may_agree(&self, at: Position) -> Position {
        let mut index = at.index.min(self.last().index);
        loop {
            match self.term(index) {
                Some(term) if term > at.term && index > 0 => index -= 1,
                Some(term) => return Position { index, term },
                None => return Position { index, term: 0 },
            }
        }
    }

    /// Puts a new entry of this leader behind the last.
    pub(crate) fn push(&mut self, term: Term, payload: Payload) -> Position {
        let at = Position { index: self.last().index + 1, term };
        let entry = Entry { term, index: at.index, payload };
        self.bytes += entry.size();
        self.entries.push_back(entry);
        at
    }

    /// Puts a leader's entries behind `previous`, removing what contradicts them.
    pub(crate) fn append(&mut self, previous: Position, mut entries: Vec<Entry>) -> Appended {
        let ascending = entries.iter().zip(previous.index + 1..).all(|(entry, index)| entry.index == index);
        if !ascending {
            return Appended::Unlawful;
        }
        if self.term(previous.index) != Some(previous.term) {
            return Appended::Missing;
        }
        let end = previous.index + entries.len() as Index;
        let known = entries.iter().take_while(|entry| self.term(entry.index) == Some(entry.term)).count();
        if let Some(first) = entries.get(known).map(|entry| entry.index) {
            if first <= self.committed {
                return Appended::Unlawful;
            }
            let gone = self.entries.drain((first - self.first()) as usize..);
            self.bytes -= gone.map(|entry| entry.size()).sum::<usize>();
            self.stable = self.stable.min(first - 1);
            self.bytes += entries[known..].iter().map(Entry::size).sum::<usize>();
            self.entries.extend(entries.drain(known..));
        }
        Appended::UpTo(end)
    }

    /// Entries from `first` on, of about `bytes_max` together but at least one; `None` if they are forgotten.
    pub(crate) fn entries_from(&self, first: Index, bytes_max: usize) -> Option<Vec<Entry>> {
        if first <= self.base.index {
            return None;
        }
        let mut size = 0;
        let start = (first - self.first()) as usize;
        let fits = |entry: &&Entry| {
            let is_first = size == 0;
            size += entry.size();
            is_first || size <= bytes_max
        };
        Some(self.entries.iter().skip(start).take_while(fits).cloned().collect())
    }

    /// What is not on disk: a snapshot, and the entries that follow.
    pub(crate) fn unstable(&self) -> (Option<&Snapshot>, Vec<Entry>) {
        let start = (self.stable.max(self.base.index) - self.base.index) as usize;
        (self.restoring.as_ref(), self.entries.iter().skip(start).cloned().collect())
    }

    /// Whether everything is on disk once a write of this snapshot and these last entries has ended.
    pub(crate) fn is_stable_after(&self, snapshot: Option<Index>, last: Option<Position>) -> bool {
        let restoring = self.restoring.as_ref().map(|snapshot| snapshot.index);
        let own = self.last();
        (restoring.is_none() || restoring == snapshot) && (self.stable >= own.index || last == Some(own))
    }

    /// Takes in that everything up to this entry is on disk, unless it was replaced meanwhile.
    pub(crate) fn stable_to(&mut self, at: Position) {
        if at.index > self.stable && self.term(at.index) == Some(at.term) {
            self.stable = at.index;
        }
    }

    /// Takes in that a snapshot is on disk; returns it if it is the one that waits to be handed out.
    pub(crate) fn snapshot_stable(&mut self, index: Index) -> Option<Snapshot> {
        let snapshot = self.restoring.take_if(|snapshot| snapshot.index == index)?;
        self.applied = snapshot.index;
        Some(snapshot)
    }

    /// Lets everything up to `index` stand for ever; whether that is news.
    pub(crate) fn commit_to(&mut self, index: Index) -> bool {
        let index = index.min(self.last().index);
        let news = index > self.committed;
        self.committed = self.committed.max(index);
        news
    }

    /// The entries that now can be applied.
    pub(crate) fn take_applicable(&mut self) -> Vec<Entry> {
        let until = self.committed.min(self.stable);
        if self.restoring.is_some() || until <= self.applied {
            return Vec::new();
        }
        let start = (self.applied - self.base.index) as usize;
        let count = (until - self.applied) as usize;
        self.applied = until;
        self.entries.iter().skip(start).take(count).cloned().collect()
    }

    /// Whether a change of the group stands for ever but was not yet handed out.
    pub(crate) fn has_change_to_apply(&self) -> bool {
        let start = (self.applied.max(self.base.index) - self.base.index) as usize;
        let count = self.committed.saturating_sub(self.applied) as usize;
        let changes = |entry: &Entry| matches!(entry.payload, Payload::Change(_));
        self.restoring.is_some() || self.entries.iter().skip(start).take(count).any(changes)
    }

    /// Replaces everything by a snapshot, unless it is known already; returns the group as of it.
    pub(crate) fn restore(&mut self, snapshot: Snapshot) -> Option<ConfState> {
        if snapshot.index <= self.committed {
            return None;
        }
        if self.term(snapshot.index) == Some(snapshot.term) {
            self.committed = snapshot.index;
            return None;
        }
        self.base = Position { index: snapshot.index, term: snapshot.term };
        self.entries.clear();
        self.bytes = 0;
        self.stable = snapshot.index;
        self.committed = snapshot.index;
        let members = snapshot.members.clone();
        self.restoring = Some(snapshot);
        Some(members)
    }

    /// Forgets applied entries up to `index`.
    pub(crate) fn forget(&mut self, index: Index) {
        while self.entries.front().is_some_and(|entry| entry.index <= index) && self.forget_first() {}
    }

    /// Forgets applied entries up to `needed` while there are more than a tail of them, and others too when
    /// they become too heavy.
    pub(crate) fn trim(&mut self, needed: Index, tail_entries: u64) {
        loop {
            let kept = self.applied.saturating_sub(self.base.index);
            let is_spare = self.first() <= needed && (kept > tail_entries || self.bytes > TAIL_BYTES_MAX);
            if !(is_spare || self.bytes > LOG_BYTES_MAX) || !self.forget_first() {
                return;
            }
        }
    }

    /// Forgets the first entry if it was applied and is on disk; whether it did.
    fn forget_first(&mut self) -> bool {
        let done = self.applied.min(self.stable);
        if self.first() > done {
            return false;
        }
        let entry = self.entries.pop_front().expect("what was applied is here or forgotten");
        self.bytes -= entry.size();
        self.base = Position { index: entry.index, term: entry.term };
        true
    }

    fn slot(&self, index: Index) -> Option<usize> {
        let slot = usize::try_from(index.checked_sub(self.first())?).ok()?;
        (slot < self.entries.len()).then_some(slot)
    }
}

/// What entries that nobody waits for may weigh in memory.
const TAIL_BYTES_MAX: usize = 1 << 20;
/// What all applied entries may weigh in memory, even if a slow follower still wants them.
const LOG_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(first: Index, terms: &[Term]) -> Vec<Entry> {
        terms
            .iter()
            .zip(first..)
            .map(|(term, index)| Entry { term: *term, index, payload: Payload::Nothing })
            .collect()
    }

    fn log(terms: &[Term]) -> Log {
        Log::new(&Stored { entries: entries(1, terms), ..Stored::default() })
    }

    fn at(index: Index, term: Term) -> Position {
        Position { index, term }
    }

    #[test]
    fn entries_that_contradict_are_replaced() {
        let mut log = log(&[1, 1, 2]);
        assert_eq!(log.append(at(1, 1), entries(2, &[1, 3, 3])), Appended::UpTo(4));
        assert_eq!((log.last(), log.stable()), (at(4, 3), 2));
        assert_eq!(log.unstable().1, entries(3, &[3, 3]));
    }

    #[test]
    fn known_entries_leave_what_follows_them() {
        let mut log = log(&[1, 1, 2]);
        assert_eq!(log.append(at(0, 0), entries(1, &[1])), Appended::UpTo(1));
        assert_eq!(log.last(), at(3, 2));
    }

    #[test]
    fn what_stands_for_ever_is_never_replaced() {
        let mut log = log(&[1, 1, 2]);
        log.commit_to(3);
        assert_eq!(log.append(at(2, 1), entries(3, &[3])), Appended::Unlawful);
        assert_eq!(log.append(at(2, 1), entries(7, &[3])), Appended::Unlawful);
        assert_eq!(log.append(at(7, 1), Vec::new()), Appended::Missing);
    }

    #[test]
    fn logs_cannot_agree_behind_a_later_reign() {
        let log = log(&[1, 1, 4, 4, 5]);
        assert_eq!(log.may_agree(at(5, 4)), at(4, 4));
        assert_eq!(log.may_agree(at(9, 3)), at(2, 1));
        assert_eq!(log.may_agree(at(4, 0)), at(0, 0));
    }

    #[test]
    fn only_stable_entries_are_applied() {
        let mut log = log(&[1]);
        let place = log.push(1, Payload::Nothing);
        log.commit_to(2);
        assert_eq!(log.take_applicable().len(), 1);
        log.stable_to(place);
        assert_eq!(log.take_applicable(), entries(2, &[1]));
        assert!(log.take_applicable().is_empty());
    }

    #[test]
    fn a_message_holds_at_least_one_entry() {
        let log = log(&[1, 1, 1]);
        assert_eq!(log.entries_from(1, 1).expect("kept").len(), 1);
        assert_eq!(log.entries_from(1, 50).expect("kept").len(), 2);
        assert_eq!(log.entries_from(4, 50).expect("kept").len(), 0);
    }

    #[test]
    fn only_applied_entries_are_forgotten() {
        let mut log = log(&[1, 1, 2]);
        log.commit_to(2);
        log.take_applicable();
        log.forget(3);
        assert_eq!((log.first(), log.term(2), log.last()), (3, Some(1), at(3, 2)));
        assert_eq!(log.entries_from(2, 1), None);
    }
}
