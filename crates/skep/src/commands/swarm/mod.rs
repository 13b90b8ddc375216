//! `skep swarm …`: the swarm as a whole.

mod ca;
mod init;
mod join;
mod leave;
mod token;
mod unlock;
mod update;

use anyhow::Result;
use clap::Subcommand;

use crate::session::Session;

/// Manage the swarm
#[derive(Debug, Subcommand)]
pub(crate) enum Swarm {
    /// Found a swarm; this node becomes its first manager
    Init(init::Init),
    /// Join a swarm as a worker or a manager: the token decides
    Join(join::Join),
    /// Show or change the word that nodes join with
    JoinToken(token::JoinToken),
    /// Leave the swarm
    Leave(leave::Leave),
    /// Change settings of the swarm
    Update(update::Update),
    /// Unlock a manager that was locked by its restart
    Unlock(unlock::Unlock),
    /// Show or change the key that unlocks managers
    UnlockKey(token::UnlockKey),
    /// Show the authority that signs the nodes' certificates, or replace it
    Ca(ca::Ca),
}

impl Swarm {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Init(command) => command.run(session).await,
            Self::Join(command) => command.run(session).await,
            Self::JoinToken(command) => command.run(session).await,
            Self::Leave(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Unlock(command) => command.run(session).await,
            Self::UnlockKey(command) => command.run(session).await,
            Self::Ca(command) => command.run(session).await,
        }
    }
}
