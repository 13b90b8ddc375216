//! `skep swarm …`: the swarm as a whole.

mod init;
mod leave;
mod token;
mod update;

use anyhow::Result;
use clap::Subcommand;

use crate::session::Session;

/// Manage the swarm
#[derive(Debug, Subcommand)]
pub(crate) enum Swarm {
    /// Found a swarm; this node becomes its first manager
    Init(init::Init),
    /// Show or change the word that nodes join with
    JoinToken(token::JoinToken),
    /// Show or change the key that unlocks managers
    UnlockKey(token::UnlockKey),
    /// Change settings of the swarm
    Update(update::Update),
    /// Leave the swarm
    Leave(leave::Leave),
}

impl Swarm {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Init(command) => command.run(session).await,
            Self::JoinToken(command) => command.run(session).await,
            Self::UnlockKey(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Leave(command) => command.run(session).await,
        }
    }
}
