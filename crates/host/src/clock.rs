//! The only reading of the time.
//!
//! Wall time is read once; from then on monotonic time is added to it, so that a jump of the wall clock is no
//! jump here. Where the wall clock has run ahead for good, the clock follows it forwards, never backwards.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::{Duration, Timestamp};

/// The time by the daemon's clock. Never goes back while the daemon runs.
pub fn now() -> Timestamp {
    let anchor = anchor();
    let elapsed = i64::try_from(anchor.monotonic.elapsed().as_nanos()).unwrap_or(i64::MAX);
    let lead = LEAD_NANOS.load(Ordering::Relaxed);
    Timestamp::from_nanos(anchor.wall_nanos.saturating_add(elapsed).saturating_add(lead))
}

/// Follows the wall clock if it is ahead of this one by more than a second. To be called now and then.
pub fn follow_wall() {
    let behind = wall_nanos().saturating_sub(now().nanos());
    if behind > 1_000_000_000 {
        LEAD_NANOS.fetch_add(behind, Ordering::Relaxed);
    }
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
static LEAD_NANOS: AtomicI64 = AtomicI64::new(0);

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
        let first = now();
        follow_wall();
        assert!(now() >= first);
    }
}
