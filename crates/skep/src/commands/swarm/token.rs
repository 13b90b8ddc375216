//! `skep swarm join-token` and `unlock-key`: words that let in.

use anyhow::{Result, bail};
use api::swarm::{Swarm, UnlockKey as Key};
use api::system::Info;
use clap::{Args, ValueEnum};

use crate::session::Session;

/// For whom a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// A node that runs tasks
    Worker,
    /// A node that holds the book too
    Manager,
}

/// Show or change the word that nodes join with
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep swarm join-token worker\n  skep swarm join-token --rotate manager")]
pub(crate) struct JoinToken {
    /// For whom
    role: Role,
    /// Show the word only
    #[arg(short, long)]
    quiet: bool,
    /// Take a new word; the old one lets nobody in any more
    #[arg(long)]
    rotate: bool,
}

impl JoinToken {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let role = if self.role == Role::Worker { "worker" } else { "manager" };
        if self.rotate {
            let key = if self.role == Role::Worker { "rotateWorkerToken" } else { "rotateManagerToken" };
            rotate(session, key).await?;
            if !self.quiet {
                session.line(format_args!("Successfully rotated {role} join token.\n"))?;
            }
        }
        let swarm: Swarm = session.client.get("/swarm").await?;
        let tokens = swarm.join_tokens.unwrap_or_default();
        let token = if self.role == Role::Worker { tokens.worker } else { tokens.manager };
        if self.quiet {
            return session.line(token);
        }
        let info: Info = session.client.get("/info").await?;
        let addr = info.swarm.remote_managers.first().map(|peer| peer.addr.clone()).unwrap_or_default();
        session.line(format_args!("To add a {role} to this swarm, run the following command:\n"))?;
        session.line(format_args!("    skep swarm join --token {token} {addr}\n"))
    }
}

/// Show or change the key that unlocks managers
#[derive(Debug, Args)]
pub(crate) struct UnlockKey {
    /// Show the key only
    #[arg(short, long)]
    quiet: bool,
    /// Take a new key
    #[arg(long)]
    rotate: bool,
}

impl UnlockKey {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.rotate {
            rotate(session, "rotateManagerUnlockKey").await?;
        }
        let key: Key = session.client.get("/swarm/unlockkey").await?;
        if key.unlock_key.is_empty() {
            bail!("no unlock key is set");
        }
        if self.quiet {
            return session.line(key.unlock_key);
        }
        session.line("To unlock a swarm manager after it restarts, run the `skep swarm unlock`\ncommand and provide the following key:\n")?;
        session.line(format_args!("    {}\n", key.unlock_key))?;
        session.line("Remember to store this key in a password manager, since without it you\nwill not be able to restart the manager.")
    }
}

async fn rotate(session: &mut Session, key: &str) -> Result<()> {
    let swarm: Swarm = session.client.get("/swarm").await?;
    let path = format!("/swarm/update?version={}&{key}=true", swarm.version.index);
    Ok(session.client.tell(&path, &swarm.spec).await?)
}
