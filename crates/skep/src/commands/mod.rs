//! The commands: one folder for each noun, one file for each verb.

mod container;
mod image;
mod inspect;
mod inspecting;
mod listing;
mod login;
mod network;
mod node;
mod payload;
mod pruning;
mod service;
mod shell;
mod stack;
mod swarm;
mod system;
mod tasks;
mod volume;

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
    /// Manage stacks
    #[command(subcommand)]
    Stack(stack::Stack),
    /// Manage secrets
    #[command(subcommand)]
    Secret(payload::Secret),
    /// Manage configs
    #[command(subcommand)]
    Config(payload::Config),
    /// Manage networks
    #[command(subcommand)]
    Network(network::Network),
    /// Manage volumes
    #[command(subcommand)]
    Volume(volume::Volume),
    /// Manage containers
    #[command(subcommand)]
    Container(container::Container),
    /// Manage images
    #[command(subcommand)]
    Image(image::Image),
    /// Manage the daemon
    #[command(subcommand)]
    System(system::System),
    /// List containers
    Ps(container::list::List),
    /// List images
    Images(image::list::List),
    /// Remove images
    Rmi(image::remove::Remove),
    #[command(flatten)]
    OfContainer(container::Verb),
    #[command(flatten)]
    OfImage(image::Verb),
    /// Show everything about things of any kind
    Inspect(inspect::Inspect),
    /// Show what happens, as it happens
    Events(system::events::Events),
    /// Log in to a registry
    Login(login::Login),
    /// Log out of a registry
    Logout(login::Logout),
    /// Show what the daemon is and has
    Info(system::info::Info),
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
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Swarm(command) => command.run(session).await,
            Self::Node(command) => command.run(session).await,
            Self::Service(command) => command.run(session).await,
            Self::Stack(command) => command.run(session).await,
            Self::Secret(command) => command.run(session).await,
            Self::Config(command) => command.run(session).await,
            Self::Network(command) => command.run(session).await,
            Self::Volume(command) => command.run(session).await,
            Self::Container(command) => command.run(session).await,
            Self::Image(command) => command.run(session).await,
            Self::System(command) => command.run(session).await,
            Self::Ps(command) => command.run(session).await,
            Self::Images(command) => command.run(session).await,
            Self::Rmi(command) => command.run(session).await,
            Self::OfContainer(command) => command.run(session).await,
            Self::OfImage(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Events(command) => command.run(session).await,
            Self::Login(command) => command.run(session).await,
            Self::Logout(command) => command.run(session),
            Self::Info(command) => command.run(session).await,
            Self::Version(command) => command.run(session).await,
            Self::Completion(command) => command.run(session),
            Self::Man(command) => command.run(),
        }
    }
}
