//! One machine's clocks: what it takes for the time, and how long it believes it has been up.
//!
//! In: the world's time. Out: what the machine believes, and back. The first may be wrong and is set forward at times, but
//! never goes back while its daemon runs; nobody sets the second, but its quartz may run too fast or too slowly.

use model::{Duration, Timestamp};

/// The clocks of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// How far the first is ahead of the world's.
    ahead: Duration,
    /// How much faster than the world's the second is, in thousandths.
    haste: i64,
}

impl Clock {
    /// Clocks that are right; but one that is not set runs so many thousandths too fast.
    pub fn hasty(haste: i64) -> Self {
        Self { ahead: Duration::ZERO, haste }
    }

    /// What it shows at this time.
    pub fn shows(self, time: Timestamp) -> Timestamp {
        time + self.ahead
    }

    /// At what time it shows this.
    pub fn time(self, shown: Timestamp) -> Timestamp {
        shown - self.ahead
    }

    /// How long the machine believes it has been up.
    pub fn uptime(self, time: Timestamp) -> Timestamp {
        scaled(time, 1_000 + self.haste, 1_000)
    }

    /// At what time it believes that.
    pub fn time_of_uptime(self, uptime: Timestamp) -> Timestamp {
        scaled(uptime, 1_000, 1_000 + self.haste) + Duration::from_nanos(1)
    }

    /// It is set forward.
    pub fn leap(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// It is set right.
    pub fn correct(&mut self) {
        self.ahead = Duration::ZERO;
    }
}

fn scaled(time: Timestamp, by: i64, of: i64) -> Timestamp {
    let nanos = i128::from(time.nanos()) * i128::from(by) / i128::from(of);
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hasty_clock_is_there_when_it_is_awaited() {
        for haste in [-40, -1, 0, 7, 40] {
            let clock = Clock::hasty(haste);
            for seconds in [1, 1_000, 86_400] {
                let due = Timestamp::from_parts(seconds, 17);
                let late = clock.uptime(clock.time_of_uptime(due)).since(due);
                assert!(clock.uptime(clock.time_of_uptime(due)) >= due && late < Duration::from_nanos(3));
            }
        }
    }
}
