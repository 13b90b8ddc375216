//! The ways between machines: they take time, lose, repeat, overtake, and can be cut, also in one direction.
//!
//! In: when something is sent. Out: when it arrives, or that it is lost. A conversation keeps its order and loses
//! nothing unless its way is cut; a letter stands alone.

use std::collections::{BTreeMap, BTreeSet};

use model::{Chance, Duration, Timestamp};

use crate::swarm::NodeNumber;

/// All ways between machines.
#[derive(Debug, Default)]
pub struct Network {
    /// How letters fare.
    pub weather: Weather,
    /// Machines that nothing reaches and that reach nobody.
    away: BTreeSet<NodeNumber>,
    /// Ways that are cut, from and to.
    cut: BTreeSet<Way>,
    /// When the last word arrives on each way, so that nothing overtakes in a conversation.
    latest: BTreeMap<Way, Timestamp>,
    /// When the last letter arrives on each way.
    latest_letter: BTreeMap<Way, Timestamp>,
}

/// From and to.
type Way = (NodeNumber, NodeNumber);

/// How letters fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// So many of a thousand are lost.
    pub loss: u64,
    /// So many of a thousand arrive twice.
    pub echo: u64,
    /// The longest time by which one is late.
    pub delay: Duration,
}

/// The shortest way.
const LATENCY_MIN: Duration = Duration::from_micros(200);
/// By how much the longest way is longer.
const LATENCY_SPREAD: Duration = Duration::from_millis(3);
/// From a machine to itself.
const LATENCY_HERE: Duration = Duration::from_micros(20);

impl Network {
    /// When a word of a conversation arrives; never if the way is cut.
    pub fn word(&mut self, now: Timestamp, (from, to): Way, chance: &mut Chance) -> Option<Timestamp> {
        if !self.is_open(from, to) {
            return None;
        }
        let latency = if from == to { LATENCY_HERE } else { LATENCY_MIN + spread(LATENCY_SPREAD, chance) };
        let latest = self.latest.entry((from, to)).or_default();
        *latest = (now + latency).max(*latest);
        Some(*latest)
    }

    /// When a letter arrives: not at all, once, or twice.
    pub fn letter(&self, now: Timestamp, (from, to): Way, chance: &mut Chance) -> Vec<Timestamp> {
        if !self.is_open(from, to) || chance.one_in(self.weather.loss, 1000) {
            return Vec::new();
        }
        let copies = if chance.one_in(self.weather.echo, 1000) { 2 } else { 1 };
        let longest = LATENCY_SPREAD + self.weather.delay;
        (0..copies).map(|_| now + LATENCY_MIN + spread(longest, chance)).collect()
    }

    /// Notes when a letter arrives; true if it overtakes one that was sent earlier.
    pub fn overtakes(&mut self, way: Way, at: Timestamp) -> bool {
        let latest = self.latest_letter.entry(way).or_default();
        let overtakes = at < *latest;
        *latest = at.max(*latest);
        overtakes
    }

    /// True if something comes through.
    pub fn is_open(&self, from: NodeNumber, to: NodeNumber) -> bool {
        let is_away = |node| self.away.contains(node);
        from == to || !(is_away(&from) || is_away(&to) || self.cut.contains(&(from, to)))
    }

    /// True if nothing comes through to or from this machine.
    pub fn is_away(&self, node: NodeNumber) -> bool {
        self.away.contains(&node)
    }

    /// Nothing comes through to or from this machine any more.
    pub fn cut(&mut self, node: NodeNumber) {
        self.away.insert(node);
    }

    /// Nothing comes through this way any more; the way back stays.
    pub fn cut_way(&mut self, from: NodeNumber, to: NodeNumber) {
        self.cut.insert((from, to));
    }

    /// Nothing comes through between machines of one side and of the other any more.
    pub fn split(&mut self, one: &[NodeNumber], other: &[NodeNumber]) {
        let pairs = one.iter().flat_map(|near| other.iter().map(|far| (*near, *far)));
        self.cut.extend(pairs.flat_map(|(near, far)| [(near, far), (far, near)]));
    }

    /// All ways of this machine are open again.
    pub fn heal(&mut self, node: NodeNumber) {
        self.away.remove(&node);
        self.cut.retain(|(from, to)| *from != node && *to != node);
    }
}

fn spread(longest: Duration, chance: &mut Chance) -> Duration {
    Duration::from_nanos(chance.below(longest.as_nanos() as u64))
}
