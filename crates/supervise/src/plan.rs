//! What this supervisor shall do: its command line, of words `key=value`.
//!
//! The daemon writes it, so a wrong one is the daemon's bug; it is told in words and ends the program.

use std::fs::File;
use std::path::PathBuf;

use crate::sys;

/// What this supervisor shall do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The OCI runtime.
    pub(crate) runtime: String,
    /// The same program, sealed in memory.
    pub(crate) sealed: Option<File>,
    /// Where it keeps what it knows.
    pub(crate) root: String,
    /// The container's id.
    pub(crate) id: String,
    /// The description of a process to start in a running container; absent if the container is to be started.
    pub(crate) process: Option<String>,
    /// A mount to be taken out of the runtime's sight.
    pub(crate) hide: Option<String>,
    /// The root file system to be made.
    pub(crate) overlay: Option<Overlay>,
    /// Whether there is a terminal.
    pub(crate) tty: bool,
    /// What becomes of standard input.
    pub(crate) stdin: Stdin,
    /// Whether who started this program wants the output.
    pub(crate) attached: bool,
    /// Whether to wait for the word before starting.
    pub(crate) held: bool,
    /// The log; absent if nothing is kept.
    pub(crate) log: Option<PathBuf>,
    /// A log that would grow beyond is put aside; 0 means never.
    pub(crate) log_size_max: u64,
    /// How many logs there are at most.
    pub(crate) log_files_max: u32,
    /// Whether logs put aside are compressed.
    pub(crate) log_compressed: bool,
    /// Where the exit is written; absent if nobody will read it.
    pub(crate) exit_file: Option<PathBuf>,
    /// Where the kernel counts what it killed for want of memory.
    pub(crate) oom_file: Option<PathBuf>,
}

/// The parts of an overlay.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// The folder that relative layers are in.
    pub(crate) base: String,
    /// Layers, the topmost first, with colons between.
    pub(crate) lower: String,
    /// What the container writes.
    pub(crate) upper: String,
    /// For the kernel's own use.
    pub(crate) work: String,
}

/// What becomes of standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// There is none.
    #[default]
    Closed,
    /// It stays open.
    Open,
    /// It ends when the first who may write to it ends.
    Once,
}

impl Plan {
    /// Reads the command line.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self { log_files_max: 1, ..Self::default() };
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("not a setting: {word}"))?;
            plan.set(key, value.to_owned()).ok_or_else(|| format!("no such setting: {word}"))?;
        }
        let complete = !plan.runtime.is_empty() && !plan.root.is_empty() && !plan.id.is_empty();
        complete.then_some(plan).ok_or_else(|| "runtime, root and id must be set".to_owned())
    }

    fn set(&mut self, key: &str, value: String) -> Option<()> {
        match key {
            "runtime" => self.runtime = value,
            // Whoever offered it may be gone; then the program itself serves.
            "sealed" => self.sealed = File::open(value).ok().filter(sys::is_sealed),
            "root" => self.root = value,
            "id" => self.id = value,
            "process" => self.process = Some(value),
            "hide" => self.hide = Some(value),
            "base" => self.overlay.get_or_insert_default().base = value,
            "lower" => self.overlay.get_or_insert_default().lower = value,
            "upper" => self.overlay.get_or_insert_default().upper = value,
            "work" => self.overlay.get_or_insert_default().work = value,
            "tty" => self.tty = value == "yes",
            "stdin" => {
                self.stdin = match value.as_str() {
                    "open" => Stdin::Open,
                    "once" => Stdin::Once,
                    _ => Stdin::Closed,
                }
            }
            "attached" => self.attached = value == "yes",
            "held" => self.held = value == "yes",
            "log" => self.log = Some(value.into()),
            "log-size-max" => self.log_size_max = value.parse().ok()?,
            "log-files-max" => self.log_files_max = value.parse().ok()?,
            "log-compressed" => self.log_compressed = value == "yes",
            "exit-file" => self.exit_file = Some(value.into()),
            "oom-file" => self.oom_file = Some(value.into()),
            _ => return None,
        }
        Some(())
    }
}
