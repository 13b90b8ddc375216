//! Runs the OCI runtime for nothing while a container is prepared, so that it is at hand when the container starts.
//!
//! A program that has rested is slow to begin: its pages and those of its libraries (crun has ten) are far from any
//! processor, and a virtual machine's host may have put them away altogether. That was 17 ms of a start on the machine of
//! `docs/benchmarks.md`. So as soon as a start is in sight, and none was lately, the
//! runtime is asked for its version, which nobody reads: that takes its time beside the image and the network. Nothing
//! depends on it; where it fails, a start is as slow as it was.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Duration, Timestamp};
use tokio::process::Command;

use crate::container::ground::Ground;

/// When the OCI runtime was last run for nothing.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    last: Mutex<Option<Timestamp>>,
}

/// A container is about to start. Returns at once.
pub(crate) fn begin(ground: &Arc<Ground>) {
    if !ground.rehearsal.take_turn(host::clock::now()) {
        return;
    }
    let stop = ground.shutdown.token().clone();
    let found = tokio::task::spawn_blocking({
        let ground = Arc::clone(ground);
        move || program(&ground)
    });
    ground.shutdown.spawn(async move {
        // The start itself tells what is wrong with a runtime.
        let Ok(Some(program)) = found.await else { return };
        // One that never ends must not hold the daemon on its way down.
        if let Some(Err(error)) = stop.run_until_cancelled(run(&program)).await {
            tracing::debug!(%error, "the OCI runtime cannot be run for nothing");
        }
    });
}

/// The OCI runtime as containers are started with it, if there is one.
fn program(ground: &Ground) -> Option<PathBuf> {
    let oci = ground.oci().ok()?;
    Some(ground.sealed(&oci).map_or(oci.program, |copy| copy.path()))
}

impl Rehearsal {
    /// Whether it is worth the while: right after another one it is not.
    fn take_turn(&self, now: Timestamp) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.since(last) >= FRESH_FOR);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// Runs a program until it ends, or kills it when this is dropped.
async fn run(program: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).status().await.map(drop)
}

/// So long a program is at hand that has run.
const FRESH_FOR: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_starts_have_one_rehearsal() {
        let rehearsal = Rehearsal::default();
        let begin = Timestamp::from_parts(100, 0);
        assert!(rehearsal.take_turn(begin));
        assert!(!rehearsal.take_turn(begin + FRESH_FOR / 2));
        assert!(rehearsal.take_turn(begin + FRESH_FOR));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_no_rehearsal() {
        let folder = tempfile::tempdir().unwrap();
        let missing = run(&folder.path().join("none")).await;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        run(Path::new("/bin/true")).await.unwrap();
    }
}
