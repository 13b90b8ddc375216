//! `skep container …`: the containers of one host.

mod attach;
mod converse;
mod copy;
mod exec;
mod export;
mod inspect;
mod life;
pub(crate) mod list;
mod logs;
mod processes;
pub(crate) mod remove;
pub(crate) mod row;
mod run;
mod stats;
mod update;

use anyhow::Result;
use clap::Subcommand;

use crate::session::Session;

/// What is done to containers; also without the word `container` before it.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a container and start it
    Run(Box<run::Run>),
    /// Make a container, but do not start it
    Create(Box<run::Create>),
    /// Run one more program in a container
    Exec(exec::Exec),
    /// Speak with a container that runs
    Attach(attach::Attach),
    /// Show what a container printed
    Logs(logs::Logs),
    /// Show the processes of a container
    Top(processes::Top),
    /// Show the ports of a container
    Port(processes::Port),
    /// Show what containers use, as it changes
    Stats(stats::Stats),
    /// Start containers
    Start(attach::Start),
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
    /// Change what containers may take, and when they are started again
    Update(update::Update),
    /// Copy files into a container, or out of it
    Cp(copy::Copy),
    /// Show what a container changed in its file system
    Diff(export::Diff),
    /// Write a container's file system into an archive
    Export(export::Export),
    /// Make an image of a container
    Commit(export::Commit),
    /// Remove containers
    #[command(visible_alias = "remove")]
    Rm(remove::Remove),
}

impl Verb {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Run(command) => command.run(session).await,
            Self::Create(command) => command.run(session).await,
            Self::Exec(command) => command.run(session).await,
            Self::Attach(command) => command.run(session).await,
            Self::Logs(command) => command.run(session).await,
            Self::Top(command) => command.run(session).await,
            Self::Port(command) => command.run(session).await,
            Self::Stats(command) => command.run(session).await,
            Self::Start(command) => command.run(session).await,
            Self::Stop(command) => command.run(session).await,
            Self::Restart(command) => command.run(session).await,
            Self::Kill(command) => command.run(session).await,
            Self::Pause(command) => command.run(session).await,
            Self::Unpause(command) => command.run(session).await,
            Self::Wait(command) => command.run(session).await,
            Self::Rename(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Cp(command) => command.run(session).await,
            Self::Diff(command) => command.run(session).await,
            Self::Export(command) => command.run(session).await,
            Self::Commit(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
        }
    }
}

/// Manage containers
#[derive(Debug, Subcommand)]
pub(crate) enum Container {
    /// List containers
    #[command(visible_aliases = ["list", "ps"])]
    Ls(list::List),
    /// Show everything about containers
    Inspect(inspect::Inspect),
    /// Remove containers that have ended
    Prune(remove::Prune),
    #[command(flatten)]
    Verb(Verb),
}

impl Container {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ls(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
            Self::Verb(command) => command.run(session).await,
        }
    }
}
