//! `skep volume rm` and `prune`.

use anyhow::{Result, bail};
use api::volume::VolumesPruned;
use clap::Args;

use crate::client::Client;
use crate::commands::pruning::{Pruning, reclaimed, show};
use crate::session::Session;

/// Remove volumes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep volume rm data")]
pub(crate) struct Remove {
    /// Which, by name
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
    /// Although their driver does not answer
    #[arg(short, long)]
    force: bool,
}

impl Remove {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let force = u8::from(self.force);
        let remove = async |client: &Client, volume: &str| {
            Ok(client.delete(&format!("/volumes/{volume}?force={force}")).await?)
        };
        session.each(&self.volumes, remove).await
    }
}

/// Remove volumes that no container uses
#[derive(Debug, Args)]
#[command(after_help = "Filters: label\n\nExamples:\n  skep volume prune\n  skep volume prune --all --force")]
pub(crate) struct Prune {
    /// Those with a name as well
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    pruning: Pruning,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.all && self.pruning.filter.iter().any(|filter| filter.starts_with("all=")) {
            bail!("conflicting options: cannot specify both --all and --filter all=1");
        }
        let which = if self.all { "local volumes" } else { "anonymous local volumes" };
        let warning = format!("This will remove {which} not used by at least one container.");
        if !self.pruning.is_wanted(session, &warning)? {
            return Ok(());
        }
        let bytes = prune(session, &self.pruning, self.all).await?;
        reclaimed(session, bytes)
    }
}

/// Removes them, shows which they were, and returns how many bytes came free.
pub(crate) async fn prune(session: &mut Session, pruning: &Pruning, all: bool) -> Result<u64> {
    let more: &[(&str, &str)] = if all { &[("all", "1")] } else { &[] };
    let pruned: VolumesPruned = pruning.remove(session, "/volumes/prune", more).await?;
    show(session, "Volumes", &pruned.volumes_deleted)?;
    Ok(pruned.space_reclaimed)
}
