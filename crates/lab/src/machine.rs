//! One machine: namespaces, mounts and control groups of its own, and all processes in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::output;
use crate::holder::Holder;
use crate::trouble::{Result, Trouble};

/// A machine with its power on. Dropping it turns the power off: nothing runs any more, but its folder stays.
#[derive(Debug)]
pub(crate) struct Machine {
    script: PathBuf,
    folder: PathBuf,
    first: u32,
    _holder: Holder,
}

impl Machine {
    /// Turns a machine on whose files lie in this folder, and which has its name.
    pub(crate) fn start(script: &Path, folder: &Path) -> Result<Self> {
        let doing = || format!("turning on the machine in {}", folder.display());
        fs::create_dir_all(folder.join("run")).map_err(Trouble::io(doing()))?;
        let mut holder = Holder::start(Command::new("sh").arg(script).arg("hold").arg(folder))?;
        let first = holder.line()?.parse();
        let first = first.map_err(|_| Trouble::new(doing(), "it ended at once; is this root?"))?;
        Ok(Self { script: script.to_owned(), folder: folder.to_owned(), first, _holder: holder })
    }

    /// The first process of the machine, by its number on the lab's side.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// A program as one of the machine's processes.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        let first = self.first.to_string();
        command.arg(&self.script).arg("run").arg(&self.folder).args([&first, program]);
        command
    }

    /// A program on the lab's side, but with the machine's network.
    pub(crate) fn networked(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--net", "--", program]);
        command
    }

    /// Changes the machine's links, addresses and routes with `ip`.
    pub(crate) fn ip(&self, words: &[&str]) -> Result<()> {
        output(self.networked("ip").args(words)).map(drop)
    }
}
