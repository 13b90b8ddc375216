//! `skep container rm` and `prune`.

use anyhow::Result;
use api::container::ContainersPruned;
use clap::Args;

use crate::client::Client;
use crate::commands::pruning::{Pruning, reclaimed, show};
use crate::session::Session;

/// Remove containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep rm --force --volumes web")]
pub(crate) struct Remove {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Although they run: they are killed
    #[arg(short, long)]
    force: bool,
    /// With their volumes that have no name
    #[arg(short, long)]
    volumes: bool,
}

impl Remove {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let query = format!("force={}&v={}", u8::from(self.force), u8::from(self.volumes));
        let remove = async |client: &Client, container: &str| {
            Ok(client.delete(&format!("/containers/{container}?{query}")).await?)
        };
        session.each(&self.containers, remove).await
    }
}

/// Remove containers that have ended
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: label, until\n\nExample:\n  skep container prune --force --filter until=24h"
)]
pub(crate) struct Prune {
    #[command(flatten)]
    pruning: Pruning,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if !self.pruning.is_wanted(session, "This will remove all stopped containers.")? {
            return Ok(());
        }
        let bytes = prune(session, &self.pruning).await?;
        reclaimed(session, bytes)
    }
}

/// Removes them, shows which they were, and returns how many bytes came free.
pub(crate) async fn prune(session: &mut Session, pruning: &Pruning) -> Result<u64> {
    let pruned: ContainersPruned = pruning.remove(session, "/containers/prune", &[]).await?;
    show(session, "Containers", &pruned.containers_deleted)?;
    Ok(pruned.space_reclaimed)
}
