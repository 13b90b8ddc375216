//! `skep container …`: the containers of one host.

mod converse;
pub(crate) mod exec;
pub(crate) mod inspect;
pub(crate) mod life;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod remove;
pub(crate) mod run;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::session::Session;

/// Manage containers
#[derive(Debug, Subcommand)]
pub(crate) enum Container {
    /// List containers
    #[command(visible_aliases = ["list", "ps"])]
    Ls(list::List),
    /// Show everything about containers
    Inspect(inspect::Inspect),
    /// Show what a container printed
    Logs(logs::Logs),
    /// Show the processes of a container
    Top(inspect::Top),
    /// Show the ports of a container
    Port(inspect::Port),
    /// Make a container and start it
    Run(run::Run),
    /// Make a container, but do not start it
    Create(run::Create),
    /// Run one more program in a container
    Exec(exec::Exec),
    /// Start containers
    Start(life::Start),
    /// Ask containers to end, and end them if they do not
    Stop(life::Stop),
    /// Stop containers and start them again
    Restart(life::Restart),
    /// Send containers a signal
    Kill(life::Kill),
    /// Freeze containers
    Pause(life::Pause),
    /// Let frozen containers go on
    Unpause(life::Unpause),
    /// Wait until containers end, and print how
    Wait(life::Wait),
    /// Give a container another name
    Rename(life::Rename),
    /// Remove containers
    #[command(visible_alias = "remove")]
    Rm(remove::Remove),
    /// Remove containers that have ended
    Prune(remove::Prune),
}

impl Container {
    pub(crate) async fn run(self, session: &mut Session) -> Result<ExitCode> {
        match self {
            Self::Run(command) => return command.run(session).await,
            Self::Exec(command) => return command.run(session).await,
            Self::Create(command) => command.run(session).await?,
            Self::Ls(command) => command.run(session).await?,
            Self::Inspect(command) => command.run(session).await?,
            Self::Logs(command) => command.run(session).await?,
            Self::Top(command) => command.run(session).await?,
            Self::Port(command) => command.run(session).await?,
            Self::Start(command) => command.run(session).await?,
            Self::Stop(command) => command.run(session).await?,
            Self::Restart(command) => command.run(session).await?,
            Self::Kill(command) => command.run(session).await?,
            Self::Pause(command) => command.run(session).await?,
            Self::Unpause(command) => command.run(session).await?,
            Self::Wait(command) => command.run(session).await?,
            Self::Rename(command) => command.run(session).await?,
            Self::Rm(command) => command.run(session).await?,
            Self::Prune(command) => command.run(session).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
