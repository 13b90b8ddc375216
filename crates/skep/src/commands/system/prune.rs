//! `skep system prune`: everything that nobody uses.

use anyhow::{Result, bail};
use clap::Args;

use crate::commands::pruning::{Pruning, reclaimed};
use crate::commands::{container, image, network, volume};
use crate::session::Session;

/// Remove everything that nobody uses
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: label, until\n\nExamples:\n  skep system prune\n  skep system prune --all --volumes --force"
)]
pub(crate) struct Prune {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Volumes without a name as well
    #[arg(long)]
    volumes: bool,
    #[command(flatten)]
    pruning: Pruning,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.volumes && self.pruning.filter.iter().any(|filter| filter.starts_with("until=")) {
            bail!("the \"until\" filter is not supported with \"--volumes\"");
        }
        if !self.pruning.is_wanted(session, &self.warning())? {
            return Ok(());
        }
        let mut bytes = container::remove::prune(session, &self.pruning).await?;
        network::prune(session, &self.pruning).await?;
        if self.volumes {
            bytes += volume::prune(session, &self.pruning, false).await?;
        }
        bytes += image::remove::prune(session, &self.pruning, self.all).await?;
        reclaimed(session, bytes)
    }

    fn warning(&self) -> String {
        let mut lines = vec!["all stopped containers", "all networks not used by at least one container"];
        if self.volumes {
            lines.push("all anonymous volumes not used by at least one container");
        }
        lines.push(match self.all {
            true => "all images without at least one container associated to them",
            false => "all dangling images",
        });
        let mut text = "This will remove:\n".to_owned();
        lines.iter().for_each(|line| text.push_str(&format!("  - {line}\n")));
        if !self.pruning.filter.is_empty() {
            text.push_str("\n  Items to be pruned will be filtered with:\n");
            self.pruning.filter.iter().for_each(|filter| text.push_str(&format!("  - {filter}\n")));
        }
        text
    }
}
