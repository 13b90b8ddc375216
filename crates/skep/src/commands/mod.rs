//! The commands: one folder for each noun, one file for each verb.

mod node;
mod shell;
mod swarm;
mod system;
mod tasks;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::session::Session;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Manage the swarm
    #[command(subcommand)]
    Swarm(swarm::Swarm),
    /// Manage the nodes of the swarm
    #[command(subcommand)]
    Node(node::Node),
    /// Manage the daemon
    #[command(subcommand)]
    System(system::System),
    /// Show what the daemon is and has
    Info(system::Info),
    /// Show the versions of this program and of the daemon
    Version(system::Version),
    /// Print a completion script for a shell
    Completion(shell::Completion),
    /// Write man pages into a folder
    #[command(hide = true)]
    Man(shell::Man),
}

impl Command {
    /// Runs it to its end.
    pub(crate) async fn run(self, session: &mut Session) -> Result<ExitCode> {
        match self {
            Self::Swarm(command) => command.run(session).await?,
            Self::Node(command) => command.run(session).await?,
            Self::System(command) => command.run(session).await?,
            Self::Info(command) => command.run(session).await?,
            Self::Version(command) => command.run(session).await?,
            Self::Completion(command) => command.run(session)?,
            Self::Man(command) => command.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
