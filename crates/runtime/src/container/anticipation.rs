//! Lets the kernel get ready for a container while the rest of it is prepared.
//!
//! Whoever puts a process into a control group waits until every processor has taken note (a grace period of RCU, 8 to
//! 16 ms: a large part of a start), unless somebody else has just done so (some 20 ms ago at most). So as soon as a start
//! is in sight, the daemon puts itself where it is already: then a thread of ours waits, beside the image, the network
//! and the bundle, and the OCI runtime does not. Nothing depends on it; where it fails, a start is as slow as it was.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::container::spec::Cgroups;

/// Makes the kernel ready for starts.
#[derive(Debug)]
pub(crate) struct Anticipation {
    cgroups: Cgroups,
    /// One who waits is enough.
    turn: Arc<Semaphore>,
}

impl Anticipation {
    /// For a host with these control groups.
    pub(crate) fn new(cgroups: Cgroups) -> Self {
        Self { cgroups, turn: Arc::new(Semaphore::new(1)) }
    }

    /// A container is about to start. Returns at once.
    pub(crate) fn begin(&self) {
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return };
        let cgroups = self.cgroups;
        tokio::task::spawn_blocking(move || {
            if let Err(error) = stay(cgroups) {
                tracing::debug!(%error, "the kernel cannot be made ready for a start");
            }
            drop(turn);
        });
    }
}

/// Puts this process into the control group it is in.
fn stay(cgroups: Cgroups) -> io::Result<()> {
    let own = own_group(&fs::read_to_string("/proc/self/cgroup")?, cgroups).ok_or(io::ErrorKind::NotFound)?;
    fs::write(own.join("cgroup.procs"), "0") // 0 is whoever writes it
}

/// The folder of the group that a process is in, by its lines `number:controllers:path`.
fn own_group(lines: &str, cgroups: Cgroups) -> Option<PathBuf> {
    let (controllers, root) = match cgroups {
        Cgroups::V2 => ("", "/sys/fs/cgroup"),
        Cgroups::V1 | Cgroups::Hybrid => ("pids", "/sys/fs/cgroup/pids"),
    };
    let mut groups = lines.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let (_, path) = groups.find(|(found, _)| *found == controllers)?;
    Some(Path::new(root).join(path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_old_and_unified_hierarchies() {
        let hybrid = "9:name=systemd:/a\n8:pids:/b/c\n0::/d\n";
        assert_eq!(own_group(hybrid, Cgroups::Hybrid), Some("/sys/fs/cgroup/pids/b/c".into()));
        assert_eq!(own_group("0::/d:e\n", Cgroups::V2), Some("/sys/fs/cgroup/d:e".into()));
        assert_eq!(own_group("1:cpu:/\n", Cgroups::V1), None);
        assert_eq!(own_group("rubbish\n", Cgroups::V2), None);
    }

    #[test]
    #[ignore = "needs root"]
    fn who_anticipates_stays_where_it_is() {
        let groups = || fs::read_to_string("/proc/self/cgroup").unwrap();
        let before = groups();
        stay(crate::container::oci::cgroups()).unwrap();
        assert_eq!(groups(), before);
    }
}
