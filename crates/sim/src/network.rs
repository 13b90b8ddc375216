//! The way between two machines: it takes time, keeps the order, and can be cut.
//!
//! In: when something is sent. Out: when it arrives, or that it is lost.

use std::collections::{BTreeMap, BTreeSet};

use model::{Chance, Duration, Timestamp};

use crate::swarm::NodeNumber;

/// All ways between nodes and the leader.
#[derive(Debug, Default)]
pub struct Network {
    cut: BTreeSet<NodeNumber>,
    /// When the last thing arrives on each way, so that nothing overtakes.
    latest: BTreeMap<(NodeNumber, Direction), Timestamp>,
}

/// To the leader or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From a node to the leader.
    Up,
    /// From the leader to a node.
    Down,
}

/// The shortest way.
const LATENCY_MIN: Duration = Duration::from_micros(200);
/// By how much the longest way is longer.
const LATENCY_SPREAD: Duration = Duration::from_millis(3);

impl Network {
    /// When something sent now arrives; never if the way is cut.
    pub fn arrival(
        &mut self,
        now: Timestamp,
        node: NodeNumber,
        direction: Direction,
        chance: &mut Chance,
    ) -> Option<Timestamp> {
        if self.cut.contains(&node) {
            return None;
        }
        let spread = Duration::from_nanos(chance.below(LATENCY_SPREAD.as_nanos() as u64));
        let latest = self.latest.entry((node, direction)).or_default();
        *latest = (now + LATENCY_MIN + spread).max(*latest);
        Some(*latest)
    }

    /// True if nothing comes through.
    pub fn is_cut(&self, node: NodeNumber) -> bool {
        self.cut.contains(&node)
    }

    /// Nothing comes through any more.
    pub fn cut(&mut self, node: NodeNumber) {
        self.cut.insert(node);
    }

    /// Everything comes through again.
    pub fn heal(&mut self, node: NodeNumber) {
        self.cut.remove(&node);
    }
}
