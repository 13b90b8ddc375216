//! A daemon on a machine: ours or the stock one, with files and sockets in the machine's folder.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::command::output;
use crate::machine::Machine;
use crate::trouble::{Result, Trouble};

/// Of whose make a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// `skepd`, as built beside this program.
    Skep,
    /// A stock `dockerd`.
    Stock,
}

/// A daemon that was started.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// `nsenter`, which ends with the daemon.
    process: Child,
    pidfile: PathBuf,
}

impl Daemon {
    /// Starts a daemon. It may take a moment until it answers.
    pub(crate) fn start(make: Make, extra: &[String], machine: &Machine, folder: &Path) -> Result<Self> {
        let doing = || format!("starting a daemon in {}", folder.display());
        let path = |name: &str| folder.join(name);
        let log = File::options().create(true).append(true).open(path("log"));
        let log = log.map_err(Trouble::io(doing()))?;
        let pidfile = path("pid");
        // A daemon that was killed left it behind, and its number may be another's by now.
        let _ = std::fs::remove_file(&pidfile);
        let mut command = machine.command(&make.program()?);
        command
            .arg("--host")
            .arg(format!("unix://{}", path("sock").display()))
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("run"))
            .arg("--pidfile")
            .arg(&pidfile)
            .args(extra);
        let process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(Trouble::io(doing()))?)
            .stderr(log)
            .spawn()
            .map_err(Trouble::io(doing()))?;
        Ok(Self { process, pidfile })
    }

    /// Ends it with this signal, and waits for its end.
    pub(crate) fn end(mut self, signal: &str, machine: &Machine) -> Result<()> {
        let number = std::fs::read_to_string(&self.pidfile)
            .map_err(Trouble::io(format!("reading {}", self.pidfile.display())))?;
        output(machine.command("kill").args(["-s", signal, number.trim()]))?;
        self.process.wait().map_err(Trouble::io("waiting for a daemon's end"))?;
        Ok(())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Make {
    fn program(self) -> Result<String> {
        match self {
            Self::Skep => built("skepd"),
            Self::Stock => Ok("dockerd".to_owned()),
        }
    }
}

/// One of our own command lines.
///
/// # Errors
/// If it is not built.
pub(crate) fn skep() -> Result<Command> {
    Ok(Command::new(built("skep")?))
}

/// A program that was built beside this one; tests lie one folder deeper.
fn built(name: &str) -> Result<String> {
    let here = std::env::current_exe().map_err(Trouble::io("finding this program"))?;
    let places = here.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found = places.into_iter().find(|path| path.is_file());
    let found = found.ok_or_else(|| {
        let why = format!(
            "it is not beside {}; cargo build -p skep-skepd -p skep-skep -p skep-supervise",
            here.display()
        );
        Trouble::new(format!("looking for {name}"), why)
    })?;
    Ok(found.display().to_string())
}
