//! `skep swarm join-token` and `unlock-key`: words that let in.

use anyhow::{Result, bail};
use api::swarm::{Swarm, UnlockKey as Key};
use api::system::Info;
use clap::{Args, ValueEnum};

use crate::session::Session;

/// For whom a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum JoinRole {
    /// A node that runs tasks
    Worker,
    /// A node that holds the book too
    Manager,
}

impl JoinRole {
    fn word(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }

    fn token(self, swarm: &Swarm) -> String {
        let tokens = swarm.join_tokens.clone().unwrap_or_default();
        if self == Self::Worker { tokens.worker } else { tokens.manager }
    }

    /// Says how a node joins; the daemon's own address is the one to join at.
    pub(super) fn show(self, session: &mut Session, swarm: &Swarm, info: &Info) -> Result<()> {
        let own = info.swarm.remote_managers.iter().find(|peer| peer.node_id == info.swarm.node_id);
        let addr = own.map(|peer| peer.addr.as_str()).unwrap_or_default();
        session.line(format_args!("To add a {} to this swarm, run the following command:\n", self.word()))?;
        session.line(format_args!("    skep swarm join --token {} {addr}\n", self.token(swarm)))
    }
}

/// Show or change the word that nodes join with
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep swarm join-token worker\n  skep swarm join-token --rotate manager")]
pub(crate) struct JoinToken {
    /// For whom
    role: JoinRole,
    /// Show the word only
    #[arg(short, long)]
    quiet: bool,
    /// Take a new word; the old one lets nobody in any more
    #[arg(long)]
    rotate: bool,
}

impl JoinToken {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { role, quiet, rotate: is_rotated } = self;
        if is_rotated {
            let key = if role == JoinRole::Worker { "rotateWorkerToken" } else { "rotateManagerToken" };
            rotate(session, key).await?;
            if !quiet {
                session.line(format_args!("Successfully rotated {} join token.\n", role.word()))?;
            }
        }
        let swarm: Swarm = session.client.get("/swarm").await?;
        if quiet {
            return session.line(role.token(&swarm));
        }
        let info: Info = session.client.get("/info").await?;
        role.show(session, &swarm, &info)
    }
}

/// Show or change the key that unlocks managers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep swarm unlock-key\n  skep swarm unlock-key --rotate")]
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
            if !self.quiet {
                session.line("Successfully rotated manager unlock key.\n")?;
            }
        }
        if self.quiet {
            let key = key(session).await?;
            return session.line(key);
        }
        show_key(session).await
    }
}

async fn key(session: &Session) -> Result<String> {
    let Key { unlock_key } = session.client.get("/swarm/unlockkey").await?;
    if unlock_key.is_empty() {
        bail!("no unlock key is set");
    }
    Ok(unlock_key)
}

/// Shows the key, and what it is for.
pub(super) async fn show_key(session: &mut Session) -> Result<()> {
    let key = key(session).await?;
    session.line("To unlock a swarm manager after it restarts, run the `skep swarm unlock`\ncommand and provide the following key:\n")?;
    session.line(format_args!("    {key}\n"))?;
    session.line("Remember to store this key in a password manager, since without it you\nwill not be able to restart the manager.")
}

async fn rotate(session: &mut Session, key: &str) -> Result<()> {
    let swarm: Swarm = session.client.get("/swarm").await?;
    let path = format!("/swarm/update?version={}&{key}=true", swarm.version.index);
    Ok(session.client.tell(&path, &swarm.spec).await?)
}
