//! Runs the OCI runtime for nothing while a container is prepared, so that it is at hand when the container starts.
//!
//! A program that has rested is slow to begin: its pages and those of its libraries (crun has ten) are far from any
//! processor, and a virtual machine's host may have put them away altogether. That is 15 ms of a start on the machine of
//! `docs/benchmarks.md`, and nearly nothing of the next one. So as soon as a start is in sight, and none was lately, the
//! runtime is asked for its version, which nobody reads: that takes its time beside the image and the network. Nothing
//! depends on it; where it fails, a start is as slow as it was.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Duration, Timestamp};

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
    let ground = Arc::clone(ground);
    tokio::task::spawn_blocking(move || {
        // The start itself tells what is wrong with a runtime.
        let Ok(oci) = ground.oci() else { return };
        let sealed = ground.sealed(&oci).map(|copy| copy.path());
        if let Err(error) = run(&sealed.unwrap_or(oci.program)) {
            tracing::debug!(%error, "the OCI runtime cannot be run for nothing");
        }
    });
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

fn run(program: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop)
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

    #[test]
    fn a_program_that_is_not_there_is_no_rehearsal() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        run(Path::new("/bin/true")).unwrap();
    }
}
