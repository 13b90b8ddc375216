//! The commands: one folder for each noun, one file for each verb.

mod container;
mod image;
mod login;
mod node;
mod service;
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
    /// Manage services
    #[command(subcommand)]
    Service(service::Service),
    /// Manage containers
    #[command(subcommand)]
    Container(container::Container),
    /// Manage images
    #[command(subcommand)]
    Image(image::Image),
    /// Manage the daemon
    #[command(subcommand)]
    System(system::System),
    /// Make a container and start it
    Run(container::run::Run),
    /// Make a container, but do not start it
    Create(container::run::Create),
    /// Run one more program in a container
    Exec(container::exec::Exec),
    /// List containers
    Ps(container::list::List),
    /// Show everything about containers
    Inspect(container::inspect::Inspect),
    /// Show what a container printed
    Logs(container::logs::Logs),
    /// Show the processes of a container
    Top(container::inspect::Top),
    /// Show the ports of a container
    Port(container::inspect::Port),
    /// Start containers
    Start(container::life::Start),
    /// Ask containers to end, and end them if they do not
    Stop(container::life::Stop),
    /// Stop containers and start them again
    Restart(container::life::Restart),
    /// Send containers a signal
    Kill(container::life::Kill),
    /// Freeze containers
    Pause(container::life::Pause),
    /// Let frozen containers go on
    Unpause(container::life::Unpause),
    /// Wait until containers end, and print how
    Wait(container::life::Wait),
    /// Give a container another name
    Rename(container::life::Rename),
    /// Remove containers
    Rm(container::remove::Remove),
    /// List images
    Images(image::list::List),
    /// Fetch an image from a registry
    Pull(image::registry::Pull),
    /// Send an image to a registry
    Push(image::registry::Push),
    /// Take in images from an archive
    Load(image::archive::Load),
    /// Make an image of a root file system in an archive
    Import(image::archive::Import),
    /// Write images into an archive
    Save(image::archive::Save),
    /// Give an image one more name
    Tag(image::Tag),
    /// Remove images
    Rmi(image::remove::Remove),
    /// Log in to a registry
    Login(login::Login),
    /// Log out of a registry
    Logout(login::Logout),
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
            Self::Service(command) => return command.run(session).await,
            Self::Container(command) => return command.run(session).await,
            Self::Run(command) => return command.run(session).await,
            Self::Exec(command) => return command.run(session).await,
            Self::Create(command) => command.run(session).await?,
            Self::Image(command) => command.run(session).await?,
            Self::Ps(command) => command.run(session).await?,
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
            Self::Images(command) => command.run(session).await?,
            Self::Pull(command) => command.run(session).await?,
            Self::Push(command) => command.run(session).await?,
            Self::Load(command) => command.run(session).await?,
            Self::Import(command) => command.run(session).await?,
            Self::Save(command) => command.run(session).await?,
            Self::Tag(command) => command.run(session).await?,
            Self::Rmi(command) => command.run(session).await?,
            Self::System(command) => command.run(session).await?,
            Self::Login(command) => command.run(session).await?,
            Self::Logout(command) => command.run(session)?,
            Self::Info(command) => command.run(session).await?,
            Self::Version(command) => command.run(session).await?,
            Self::Completion(command) => command.run(session)?,
            Self::Man(command) => command.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
