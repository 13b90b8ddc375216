//! `skep swarm unlock`.

use anyhow::{Result, bail};
use api::swarm::UnlockKey;
use api::system::Info;
use clap::Args;

use crate::session::Session;
use crate::terminal;

/// Unlock a manager that was locked by its restart
#[derive(Debug, Args)]
#[command(after_help = "The key is asked for, or read from standard input.\n\n\
                        Examples:\n  skep swarm unlock\n  skep swarm unlock < key")]
pub(crate) struct Unlock {}

impl Unlock {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let info: Info = session.client.get("/info").await?;
        match info.swarm.local_node_state.as_str() {
            "inactive" => bail!("Error: This node is not part of a swarm"),
            "locked" => {}
            _ => bail!("Error: swarm is not locked"),
        }
        let unlock_key = terminal::ask_in_secret("Enter unlock key: ")?;
        Ok(session.client.tell("/swarm/unlock", &UnlockKey { unlock_key }).await?)
    }
}
