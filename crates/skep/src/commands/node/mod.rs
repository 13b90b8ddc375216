//! `skep node …`: the machines of the swarm.

mod inspect;
mod list;
mod tasks;
mod update;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::session::Session;

/// Manage the nodes of the swarm
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// List nodes
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// Show everything about nodes
    Inspect(inspect::Inspect),
    /// List the tasks of nodes; of this one if none is named
    Ps(tasks::Tasks),
    /// Change a node
    Update(update::Update),
    /// Make nodes managers
    Promote(update::Promote),
    /// Make managers workers
    Demote(update::Demote),
    /// Remove nodes from the swarm
    #[command(visible_alias = "remove")]
    Rm(Remove),
}

impl Node {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ls(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Ps(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Promote(command) => command.run(session).await,
            Self::Demote(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
        }
    }
}

/// Remove nodes from the swarm
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep node rm --force worker1")]
pub(crate) struct Remove {
    /// Which, by id or name
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// Although they are not down
    #[arg(short, long)]
    force: bool,
}

impl Remove {
    async fn run(self, session: &mut Session) -> Result<()> {
        let force = self.force;
        let remove = async |client: &crate::client::Client, node: &str| {
            Ok(client.delete(&format!("/nodes/{node}?force={}", u8::from(force))).await?)
        };
        session.each(&self.nodes, remove).await
    }
}

/// A node's name for a path: `self` means the one that is spoken with.
async fn resolved(session: &Session, node: &str) -> Result<String> {
    if node != "self" {
        return Ok(node.to_owned());
    }
    let info: api::system::Info = session.client.get("/info").await?;
    Ok(info.swarm.node_id)
}
