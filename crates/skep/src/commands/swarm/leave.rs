//! `skep swarm leave`.

use anyhow::Result;
use clap::Args;

use crate::session::Session;

/// Leave the swarm
#[derive(Debug, Args)]
#[command(
    after_help = "A manager is warned of what its leaving does to the swarm; --force takes the warning as read.\n\n\
                        Example:\n  skep swarm leave --force"
)]
pub(crate) struct Leave {
    /// Leave although this is a manager; the last one takes the swarm with it
    #[arg(short, long)]
    force: bool,
}

impl Leave {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        session.client.order(if self.force { "/swarm/leave?force=1" } else { "/swarm/leave" }).await?;
        session.line("Node left the swarm.")
    }
}
