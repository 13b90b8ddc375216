//! Waits for the end of a container's process.
//!
//! Who waits sees the newest record only, and on a busy host that may be one where the container runs again or is
//! taken away already: such a record must still tell of the end before.

use std::sync::Arc;

use model::Duration;
use tokio::sync::watch;

use crate::container::state::{Exit, Record};

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// That it does not run; it may be so already.
    NotRunning,
    /// That it ends, although it may not even run yet.
    NextExit,
    /// That nothing is left of it.
    Removed,
}

/// Waits, and returns how the last process ended; `None` if there never was one.
pub(crate) async fn exit(mut seen: watch::Receiver<Arc<Record>>, what: WaitFor) -> Option<Exit> {
    let exits = seen.borrow().exits;
    let is_it = |record: &Arc<Record>| match what {
        WaitFor::NotRunning => record.running().is_none(),
        WaitFor::NextExit => record.exits > exits,
        WaitFor::Removed => false,
    };
    // When its keeper goes, nothing is left of it.
    let _ = seen.wait_for(is_it).await;
    let record = seen.borrow();
    record.exit().or(record.last_exit)
}

/// Whether a process ended within a time, counted by how many have ended before.
pub(crate) async fn ended_within(
    seen: &mut watch::Receiver<Arc<Record>>,
    exits: u64,
    time: Duration,
) -> bool {
    let ended = seen.wait_for(|record| record.exits > exits);
    tokio::time::timeout(time, ended).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::description::Description;
    use crate::container::id::ContainerId;
    use crate::container::state::{Phase, Running};
    use futures_util::poll;
    use model::Timestamp;

    fn running() -> Phase {
        Phase::Running(Running { pid: 1, started: Timestamp::from_parts(1, 0) })
    }

    fn keeper() -> watch::Sender<Arc<Record>> {
        let id: ContainerId = "7".repeat(64).parse().unwrap();
        let mut record = Record::new(id, Description::default(), Vec::new(), Timestamp::from_parts(1, 0));
        record.phase = running();
        watch::Sender::new(Arc::new(record))
    }

    fn ends(keeper: &watch::Sender<Arc<Record>>, code: i32) {
        let (started, finished) = (Timestamp::from_parts(1, 0), Timestamp::from_parts(2, 0));
        keeper.send_modify(|record| Arc::make_mut(record).end(Exit { code, oom: false, started, finished }));
    }

    fn becomes(keeper: &watch::Sender<Arc<Record>>, phase: Phase) {
        keeper.send_modify(|record| Arc::make_mut(record).phase = phase);
    }

    async fn code(waiting: impl Future<Output = Option<Exit>>) -> i32 {
        waiting.await.unwrap().code
    }

    #[tokio::test]
    async fn who_looks_late_hears_the_code_of_what_is_removed() {
        for what in [WaitFor::NotRunning, WaitFor::NextExit, WaitFor::Removed] {
            let keeper = keeper();
            let mut waiting = Box::pin(exit(keeper.subscribe(), what));
            assert!(poll!(&mut waiting).is_pending());
            ends(&keeper, 7);
            becomes(&keeper, Phase::Removing);
            drop(keeper);
            assert_eq!(code(waiting).await, 7, "{what:?}");
        }
    }

    #[tokio::test]
    async fn who_looks_late_hears_the_code_of_what_runs_again() {
        let keeper = keeper();
        let mut waiting = Box::pin(exit(keeper.subscribe(), WaitFor::NextExit));
        assert!(poll!(&mut waiting).is_pending());
        ends(&keeper, 7);
        becomes(&keeper, running());
        assert_eq!(code(waiting).await, 7);
    }

    #[tokio::test]
    async fn what_never_ran_has_no_code() {
        let keeper = keeper();
        becomes(&keeper, Phase::Created);
        assert_eq!(exit(keeper.subscribe(), WaitFor::NotRunning).await, None);
    }
}
