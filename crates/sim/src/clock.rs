//! One machine's clock: it runs as fast as the world's, but may be wrong, and is set forward at times.
//!
//! In: the world's time. Out: what the machine believes, and back. It never goes back while its daemon runs.

use model::{Duration, Timestamp};

/// A clock that is ahead of the world's by this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    ahead: Duration,
}

impl Clock {
    /// What it shows at this time.
    pub fn shows(self, time: Timestamp) -> Timestamp {
        time + self.ahead
    }

    /// At what time it shows this.
    pub fn time(self, shown: Timestamp) -> Timestamp {
        shown - self.ahead
    }

    /// It is set forward.
    pub fn leap(&mut self, by: Duration) {
        self.ahead += by;
    }
}
