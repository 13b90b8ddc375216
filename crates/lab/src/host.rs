//! A host: a machine, its cable, its daemon, and the two command lines to speak with it.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::api::Api;
use crate::command::{output, shown};
use crate::daemon::{Daemon, Make, skep};
use crate::machine::Machine;
use crate::patience::until;
use crate::trouble::{Result, Trouble};

/// A host with its daemon. The lab has all of them.
#[derive(Debug)]
pub struct Host {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) folder: PathBuf,
    pub(crate) make: Make,
    pub(crate) extra: Vec<String>,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) machine: Option<Machine>,
}

impl Host {
    /// Its name, which is its host name too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the lab's switch.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where its daemon serves the API, as `DOCKER_HOST` wants it.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The way to the API of its daemon.
    pub fn api(&self) -> Api {
        Api { host: self.name.clone(), socket: self.socket() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    /// Where its daemon keeps everything that outlasts the machine's power.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the daemon, and waits until it answers.
    ///
    /// # Errors
    /// If it does not; with the daemon's last words.
    pub fn start(&mut self) -> Result<()> {
        let daemon = Daemon::start(self.make, &self.extra, self.machine()?, &self.folder)?;
        self.daemon = Some(daemon);
        let mut ended = false;
        let answers = until(&format!("the daemon of {} answers", self.name), || {
            ended = self.daemon.as_mut().is_some_and(Daemon::has_ended);
            (ended || self.api().answers()).then_some(())
        });
        match answers {
            Ok(()) if !ended => Ok(()),
            _ => Err(Trouble::new(format!("starting the daemon of {}", self.name), self.last_words())),
        }
    }

    /// Kills the daemon without a word, as a crash would. Its containers go on.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.end("KILL")
    }

    /// Asks the daemon to end, and waits for it.
    ///
    /// # Errors
    /// If it does not run.
    pub fn stop(&mut self) -> Result<()> {
        self.end("TERM")
    }

    fn end(&mut self, signal: &str) -> Result<()> {
        let not_there = || Trouble::new(format!("ending the daemon of {}", self.name), "it does not run");
        let daemon = self.daemon.take().ok_or_else(not_there)?;
        daemon.end(signal, self.machine()?)
    }

    /// What a command of the stock CLI says.
    ///
    /// # Errors
    /// If it fails; with what it said.
    pub fn docker<W: AsRef<OsStr>>(&self, words: &[W]) -> Result<String> {
        self.said(output(self.speak(Command::new("docker")).args(words)))
    }

    /// What a command of our own CLI says.
    ///
    /// # Errors
    /// If it fails; with what it said.
    pub fn skep<W: AsRef<OsStr>>(&self, words: &[W]) -> Result<String> {
        self.said(output(self.speak(skep()?).args(words)))
    }

    /// What a command of the stock CLI that must fail says to its standard error.
    ///
    /// # Errors
    /// If it succeeds.
    pub fn refused<W: AsRef<OsStr>>(&self, words: &[W]) -> Result<String> {
        let mut command = self.speak(Command::new("docker"));
        let doing = format!("{} on {}", shown(command.args(words)), self.name);
        let Output { status, stderr, .. } = command.output().map_err(Trouble::io(doing.as_str()))?;
        let said = String::from_utf8_lossy(&stderr).trim().to_owned();
        if status.success() { Err(Trouble::new(doing, "it should have been refused")) } else { Ok(said) }
    }

    /// What a program says that runs as a process of this host.
    ///
    /// # Errors
    /// If it fails; with what it said.
    pub fn inside(&self, program: &str, words: &[&str]) -> Result<String> {
        self.said(output(self.machine()?.command(program).args(words)))
    }

    /// A program as a process of this host, not started yet.
    ///
    /// # Errors
    /// If the machine is off.
    pub fn command(&self, program: &str) -> Result<Command> {
        Ok(self.machine()?.command(program))
    }

    /// One of the command lines, `docker` or `skep`, told to speak with this host.
    ///
    /// # Errors
    /// If it is not built.
    pub fn command_line(&self, program: &str) -> Result<Command> {
        Ok(self.speak(if program == "skep" { skep()? } else { Command::new(program) }))
    }

    /// The end of what the daemon logged.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS_MAX)..].join("\n")
    }

    pub(crate) fn machine(&self) -> Result<&Machine> {
        let off = || Trouble::new(format!("using machine {}", self.name), "its power is off");
        self.machine.as_ref().ok_or_else(off)
    }

    fn speak(&self, mut command: Command) -> Command {
        command.env("DOCKER_HOST", self.endpoint()).env("DOCKER_CONFIG", self.folder.join("config"));
        command
    }

    /// Names the host in what goes wrong.
    fn said(&self, said: Result<String>) -> Result<String> {
        said.map_err(|trouble| Trouble::new(format!("on {}", self.name), trouble))
    }
}

/// How many lines are the end of a log.
const LAST_WORDS_MAX: usize = 40;
