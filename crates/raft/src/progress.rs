//! What the leader knows of each follower, and how much it dares to send.
//!
//! A follower is *probed* with one message at a time until the logs are known to agree, then entries are
//! *replicated* to it without waiting for answers, within a window. One that is too far behind first gets a
//! *snapshot*. The leader keeps a progress of itself too, for its own disk is a voter like any other.

use std::collections::VecDeque;

use crate::entry::Index;
use crate::lease::Pact;

/// One follower, as the leader sees it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// Up to here its disk is known to hold our log.
    pub(crate) matched: Index,
    /// The next entry to send.
    pub(crate) next: Index,
    /// How it is fed.
    pub(crate) flow: Flow,
    /// It was heard since the leader last counted who is there.
    pub(crate) active: bool,
    /// What it has promised, and what it was lent.
    pub(crate) pact: Pact,
}

/// How a follower is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// One message, then wait for its answer or the next heartbeat's.
    Probe {
        /// The message is on its way.
        asked: bool,
    },
    /// Messages without waiting; the last index of each that is not yet answered.
    Replicate {
        /// Ascending.
        inflight: VecDeque<Index>,
    },
    /// Nothing until the snapshot has arrived.
    Snapshot {
        /// The snapshot's last entry; `None` until there is one to send.
        index: Option<Index>,
    },
}

impl Progress {
    /// A follower of which nothing is known: it may have everything up to `last`.
    pub(crate) fn new(last: Index) -> Self {
        Self {
            matched: 0,
            next: last + 1,
            flow: Flow::Probe { asked: false },
            active: false,
            pact: Pact::default(),
        }
    }

    /// Whether nothing at all may be sent now.
    pub(crate) fn is_paused(&self) -> bool {
        match &self.flow {
            Flow::Probe { asked } => *asked,
            Flow::Replicate { .. } => false,
            Flow::Snapshot { .. } => true,
        }
    }

    /// Whether entries may be sent now, and not only the news of a commit.
    pub(crate) fn may_carry(&self, inflight_max: usize) -> bool {
        match &self.flow {
            Flow::Replicate { inflight } => inflight.len() < inflight_max,
            Flow::Probe { .. } | Flow::Snapshot { .. } => true,
        }
    }

    /// Notes that entries up to `last` were sent; none if it is below `next`.
    pub(crate) fn sent(&mut self, last: Index) {
        match &mut self.flow {
            Flow::Probe { asked } => *asked = true,
            Flow::Replicate { inflight } if last >= self.next => {
                inflight.push_back(last);
                self.next = last + 1;
            }
            Flow::Replicate { .. } | Flow::Snapshot { .. } => {}
        }
    }

    /// Takes in that its disk holds everything up to `index`; whether that is news. `first` is the first entry
    /// we could still send.
    pub(crate) fn acknowledged(&mut self, index: Index, first: Index) -> bool {
        let news = index > self.matched;
        self.matched = self.matched.max(index);
        self.next = self.next.max(index + 1);
        match &mut self.flow {
            Flow::Probe { .. } if news || self.matched == index => self.replicate(),
            Flow::Snapshot { .. } if news && self.matched + 1 >= first => self.replicate(),
            Flow::Replicate { inflight } => {
                while inflight.front().is_some_and(|last| *last <= index) {
                    inflight.pop_front();
                }
            }
            Flow::Probe { .. } | Flow::Snapshot { .. } => {}
        }
        news
    }

    /// Takes in that the entry at `rejected` is not there, and that both logs may agree at `hint`. Whether
    /// something shall be tried anew: an answer to a message of long ago says nothing.
    pub(crate) fn rejected(&mut self, rejected: Index, hint: Index) -> bool {
        if matches!(self.flow, Flow::Replicate { .. }) {
            if rejected <= self.matched {
                return false;
            }
            self.probe();
            return true;
        }
        if self.next - 1 != rejected {
            return false;
        }
        self.next = rejected.min(hint + 1).max(self.matched + 1);
        self.resume();
        true
    }

    /// Begins to probe from what is known for certain, or from the snapshot that was sent.
    pub(crate) fn probe(&mut self) {
        let from = match self.flow {
            Flow::Snapshot { index: Some(index) } => index.max(self.matched),
            Flow::Snapshot { index: None } | Flow::Probe { .. } | Flow::Replicate { .. } => self.matched,
        };
        self.next = from + 1;
        self.flow = Flow::Probe { asked: false };
    }

    /// Lets a probe be sent again.
    pub(crate) fn resume(&mut self) {
        if let Flow::Probe { asked } = &mut self.flow {
            *asked = false;
        }
    }

    fn replicate(&mut self) {
        self.next = self.matched + 1;
        self.flow = Flow::Replicate { inflight: VecDeque::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_waits_for_its_answer_and_then_replicates() {
        let mut progress = Progress::new(10);
        progress.sent(0);
        assert!(progress.is_paused());
        assert!(progress.rejected(10, 4));
        assert_eq!((progress.next, progress.is_paused()), (5, false));
        assert!(progress.acknowledged(4, 1));
        assert_eq!(progress.flow, Flow::Replicate { inflight: VecDeque::new() });
        assert_eq!(progress.next, 5);
    }

    #[test]
    fn late_rejections_change_nothing() {
        let mut progress = Progress::new(10);
        assert!(!progress.rejected(7, 3));
        progress.acknowledged(10, 1);
        assert!(!progress.rejected(9, 3));
        assert!(matches!(progress.flow, Flow::Replicate { .. }));
    }

    #[test]
    fn the_window_closes_and_opens() {
        let mut progress = Progress::new(0);
        progress.acknowledged(0, 1);
        progress.sent(3);
        progress.sent(5);
        assert!(!progress.may_carry(2));
        progress.acknowledged(3, 1);
        assert!(progress.may_carry(2));
        assert_eq!(progress.next, 6);
    }

    #[test]
    fn after_a_snapshot_probing_begins_behind_it() {
        let mut progress = Progress::new(0);
        progress.flow = Flow::Snapshot { index: Some(50) };
        progress.probe();
        assert_eq!(progress.next, 51);
    }
}
