//! `skep network …`: what containers reach each other through.

mod connect;
mod create;
mod list;
mod remove;

pub(crate) use remove::prune;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::inspecting::Inspecting;
use crate::session::{Session, escaped};

/// Manage networks
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Make a network
    Create(create::Create),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// Show everything about networks
    Inspect(Inspect),
    /// Let a container join a network
    Connect(connect::Connect),
    /// Let a container leave a network
    Disconnect(connect::Disconnect),
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm(remove::Remove),
    /// Remove networks that nothing uses
    Prune(remove::Prune),
}

impl Network {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Ls(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Connect(command) => command.run(session).await,
            Self::Disconnect(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
        }
    }
}

/// Show everything about networks
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep network inspect bridge\n  skep network inspect --verbose --scope swarm back"
)]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
    #[command(flatten)]
    inspecting: Inspecting,
    /// Only a network of this reach: local, global, swarm
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    scope: String,
    /// Show services and tasks in it as well
    #[arg(short, long)]
    verbose: bool,
}

impl Inspect {
    async fn run(self, session: &mut Session) -> Result<()> {
        let query = format!("verbose={}&scope={}", self.verbose, escaped(&self.scope));
        let ask = async |session: &Session, network: &str| {
            Ok(session.client.get(&format!("/networks/{network}?{query}")).await?)
        };
        self.inspecting.show(session, &self.networks, ask).await
    }
}
