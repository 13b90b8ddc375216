//! What belongs to the shell: completion and man pages, out of the same grammar.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use crate::Skep;
use crate::session::Session;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep completion bash > /etc/bash_completion.d/skep")]
pub(crate) struct Completion {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completion {
    pub(crate) fn run(self, session: &mut Session) -> Result<()> {
        clap_complete::generate(self.shell, &mut Skep::command(), "skep", &mut session.out);
        Ok(())
    }
}

/// Write man pages into a folder
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> Result<()> {
        let written = clap_mangen::generate_to(Skep::command(), &self.folder);
        written.with_context(|| format!("writing man pages into {}", self.folder.display()))
    }
}
