//! `skep service …`: what shall run.

mod create;
mod inspect;
pub(crate) mod list;
mod logs;
mod page;
mod scale;
pub(crate) mod sending;
mod tasks;
mod update;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::session::Session;

/// Manage services
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Create a service
    Create(Box<create::Create>),
    /// Change a service
    Update(Box<update::Update>),
    /// List services
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// List the tasks of services
    Ps(tasks::Tasks),
    /// Show everything about services
    Inspect(inspect::Inspect),
    /// Show what the tasks of a service printed
    Logs(logs::Logs),
    /// Change how many tasks services have
    Scale(scale::Scale),
    /// Go back to what a service was before its last update
    Rollback(update::Rollback),
    /// Remove services
    #[command(visible_alias = "remove")]
    Rm(Remove),
}

impl Service {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Ls(command) => command.run(session).await,
            Self::Ps(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Logs(command) => command.run(session).await,
            Self::Scale(command) => command.run(session).await,
            Self::Rollback(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
        }
    }
}

/// Remove services
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service rm web db")]
pub(crate) struct Remove {
    /// Which, by id or name
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
}

impl Remove {
    async fn run(self, session: &mut Session) -> Result<()> {
        let remove = async |client: &crate::client::Client, service: &str| {
            Ok(client.delete(&format!("/services/{service}")).await?)
        };
        session.each(&self.services, remove).await
    }
}
