//! A process that holds something until its standard input ends: when it is let go, or when this process ends,
//! however that ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::trouble::{Result, Trouble};

/// Holds something until it is dropped; dropping waits until it is cleared away.
#[derive(Debug)]
pub(crate) struct Holder {
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    process: Child,
}

impl Holder {
    /// Starts the process, in a group of its own: an interruption is meant for the lab, which ends all others in
    /// order.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(Trouble::io(format!("starting {command:?}")))?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("standard output is piped"));
        Ok(Self { input, output, process })
    }

    /// The next line it says; empty if it has ended.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(Trouble::io("reading what a holder says"))?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.input.take());
        // It can be waited for: it is this process's own child.
        let _ = self.process.wait();
    }
}
