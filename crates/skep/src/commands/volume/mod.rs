//! `skep volume …`: what containers keep.

mod create;
mod list;
mod remove;

pub(crate) use list::{COLUMNS, line};
pub(crate) use remove::prune;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::inspecting::Inspecting;
use crate::session::Session;

/// Manage volumes
#[derive(Debug, Subcommand)]
pub(crate) enum Volume {
    /// Make a volume
    Create(Box<create::Create>),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// Show everything about volumes
    Inspect(Inspect),
    /// Change a volume of the swarm
    Update(create::Update),
    /// Remove volumes
    #[command(visible_alias = "remove")]
    Rm(remove::Remove),
    /// Remove volumes that no container uses
    Prune(remove::Prune),
}

impl Volume {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Ls(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
        }
    }
}

/// Show everything about volumes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep volume inspect --format '{{.Mountpoint}}' data")]
pub(crate) struct Inspect {
    /// Which, by name
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
    #[command(flatten)]
    inspecting: Inspecting,
}

impl Inspect {
    async fn run(self, session: &mut Session) -> Result<()> {
        let ask = async |session: &Session, volume: &str| {
            Ok(session.client.get(&format!("/volumes/{volume}")).await?)
        };
        self.inspecting.show(session, &self.volumes, ask).await
    }
}
