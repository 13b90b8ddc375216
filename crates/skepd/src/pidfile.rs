//! The file with the daemon's process id: two daemons must not share a data root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use host::files::{self, Access, Durability};

/// The file, for as long as the daemon runs.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, unless it names another daemon that runs.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let told = files::read_if_there(path).with_context(|| format!("reading {}", path.display()))?;
        let pid = told.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<u32>().ok());
        if let Some(pid) = pid.filter(|pid| is_daemon(*pid)) {
            bail!(
                "a daemon runs already as process {pid}; end it, or give another --pidfile and --data-root"
            );
        }
        if let Some(folder) = path.parent() {
            files::make_folder(folder, Access::Public)
                .with_context(|| format!("making {}", folder.display()))?;
        }
        let text = std::process::id().to_string();
        let written = files::replace(path, text.as_bytes(), Access::Public, Durability::Cached);
        written.with_context(|| format!("writing {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A leftover is recognised by the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// True if that process runs the same program as this one. One that has ended and waits for its parent runs none.
fn is_daemon(pid: u32) -> bool {
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    pid != std::process::id() && program(&pid.to_string()).is_some_and(|other| Some(other) == program("self"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_of_a_dead_daemon_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "4194305").unwrap();
        let taken = PidFile::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(taken);
        assert!(!path.exists());
    }
}
