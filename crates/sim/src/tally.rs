//! What befell a swarm, counted: so that one can see whether storms bring all that they promise.
//!
//! In: each blow, where it falls. Out: how often each kind fell, in one storm or in many. It judges
//! nothing.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// One thing that goes wrong, or changes who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// A letter between managers is lost.
    LetterLost,
    /// It arrives twice.
    LetterRepeated,
    /// It arrives before one that was sent earlier.
    LetterOvertakes,
    /// The way of a letter is cut.
    LetterCutOff,
    /// The way of a word between a node and its manager is cut.
    WordCutOff,
    /// A machine is cut off.
    MachineCutOff,
    /// One direction between two managers is cut.
    OneWayCut,
    /// The machines are divided into two parts.
    Split,
    /// A daemon ends.
    DaemonEnds,
    /// A machine loses its power.
    PowerLost,
    /// A manager that leads falls.
    LeaderFalls,
    /// What was being written when a manager fell is on its disk in part.
    TornWrite,
    /// All that was being written is lost.
    LostWrite,
    /// A manager's disk is full.
    DiskFull,
    /// A clock is set forward.
    ClockForward,
    /// A clock is set back, to the right time, while its machine is down.
    ClockBack,
    /// A container ends badly.
    ContainerKilled,
    /// A leader hands over.
    HandOver,
    /// A manager is elected.
    Election,
    /// A manager joins the group.
    ManagerJoins,
    /// A manager leaves the group.
    ManagerLeaves,
    /// A manager that is behind takes a snapshot.
    SnapshotTaken,
}

impl Blow {
    /// All there are.
    pub const ALL: [Self; 22] = [
        Self::LetterLost,
        Self::LetterRepeated,
        Self::LetterOvertakes,
        Self::LetterCutOff,
        Self::WordCutOff,
        Self::MachineCutOff,
        Self::OneWayCut,
        Self::Split,
        Self::DaemonEnds,
        Self::PowerLost,
        Self::LeaderFalls,
        Self::TornWrite,
        Self::LostWrite,
        Self::DiskFull,
        Self::ClockForward,
        Self::ClockBack,
        Self::ContainerKilled,
        Self::HandOver,
        Self::Election,
        Self::ManagerJoins,
        Self::ManagerLeaves,
        Self::SnapshotTaken,
    ];

    /// What fell, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::LetterLost => "letters lost",
            Self::LetterRepeated => "letters that came twice",
            Self::LetterOvertakes => "letters that overtook others",
            Self::LetterCutOff => "letters whose way was cut",
            Self::WordCutOff => "conversations whose way was cut",
            Self::MachineCutOff => "machines cut off",
            Self::OneWayCut => "ways cut in one direction",
            Self::Split => "splits of all machines in two",
            Self::DaemonEnds => "daemons ended",
            Self::PowerLost => "machines without power",
            Self::LeaderFalls => "leaders that fell",
            Self::TornWrite => "writes torn",
            Self::LostWrite => "writes lost",
            Self::DiskFull => "disks full",
            Self::ClockForward => "clocks set forward",
            Self::ClockBack => "clocks set back",
            Self::ContainerKilled => "containers killed",
            Self::HandOver => "handovers",
            Self::Election => "elections",
            Self::ManagerJoins => "managers that joined",
            Self::ManagerLeaves => "managers that left",
            Self::SnapshotTaken => "snapshots taken by managers that were behind",
        }
    }
}

/// How often each kind fell, and in how many storms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Blow, Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    times: u64,
    storms: u64,
}

impl Tally {
    /// It fell once more, in the one storm that is counted.
    pub fn count(&mut self, blow: Blow) {
        let count = self.0.entry(blow).or_default();
        *count = Count { times: count.times + 1, storms: 1 };
    }

    /// How often it fell.
    pub fn times(&self, blow: Blow) -> u64 {
        self.0.get(&blow).map_or(0, |count| count.times)
    }

    /// In how many storms it fell.
    pub fn storms(&self, blow: Blow) -> u64 {
        self.0.get(&blow).map_or(0, |count| count.storms)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (blow, more) in other.0 {
            let count = self.0.entry(blow).or_default();
            *count = Count { times: count.times + more.times, storms: count.storms + more.storms };
        }
    }
}
