//! The folder of a lab: everything its hosts write lies here, and goes with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::holder::Holder;
use crate::trouble::{Result, Trouble};

/// The folder of a lab. It is removed when this is dropped or this process ends, after all machines have ended.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    _holder: Holder,
}

impl Home {
    /// A new folder, with the script that machines run.
    pub(crate) fn new() -> Result<Self> {
        let path = tempfile::Builder::new().prefix("skep-lab-").tempdir();
        let path = path.map_err(Trouble::io("making the lab's folder"))?.keep();
        let holder = Holder::start(Command::new("sh").args(["-c", REMOVE, "remove"]).arg(&path))?;
        let home = Self { path, _holder: holder };
        let written = fs::write(home.script(), include_str!("machine.sh"));
        written.map_err(Trouble::io("writing the lab's script"))?;
        Ok(home)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The script that machines run.
    pub(crate) fn script(&self) -> PathBuf {
        self.path.join("machine.sh")
    }
}

/// Waits for the lab's end, then for each machine's, then removes the folder.
const REMOVE: &str = "trap '' INT TERM HUP; cat; exec 9>\"$1/lock\"; flock 9; rm -rf \"$1\"";
