//! The only reading of the time.
//!
//! Wall time is read once; from then on monotonic time is added to it, so that a jump of the wall clock is no
//! jump here.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::{Duration, Timestamp};
use nix::time::ClockId;

/// The time by the daemon's clock. Never goes back while the daemon runs.
pub fn now() -> Timestamp {
    let anchor = anchor();
    let elapsed = i64::try_from(anchor.monotonic.elapsed().as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(anchor.wall_nanos.saturating_add(elapsed))
}

/// How long the machine has been up, as a time since 1970. It goes on while the machine sleeps, which [`now`] does not:
/// for those who must know whether others may have acted meanwhile.
pub fn uptime() -> Timestamp {
    let up = ClockId::CLOCK_BOOTTIME.now().expect("Linux has this clock");
    Timestamp::from_parts(up.tv_sec(), up.tv_nsec().try_into().unwrap_or(0))
}

/// A monotonic instant for timers of tokio that shall end at `at`.
pub fn deadline(at: Timestamp) -> tokio::time::Instant {
    tokio::time::Instant::now() + at.since(now())
}

/// How long since `earlier`, for figures.
pub fn since(earlier: Timestamp) -> Duration {
    now().since(earlier)
}

struct Anchor {
    wall_nanos: i64,
    monotonic: Instant,
}

static ANCHOR: OnceLock<Anchor> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "this is the one place where the time is read")]
fn anchor() -> &'static Anchor {
    ANCHOR.get_or_init(|| Anchor { wall_nanos: wall_nanos(), monotonic: Instant::now() })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the time is read")]
fn wall_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let first = (now(), uptime());
        assert!(first.0 > first.1, "the machine was started after 1970");
        assert!(now() >= first.0 && uptime() >= first.1);
    }
}
