//! `skep network rm` and `prune`.

use anyhow::{Result, bail};
use api::network::{Network, NetworksPruned};
use clap::Args;

use crate::commands::pruning::{Pruning, show};
use crate::session::Session;

/// Remove networks
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep network rm back")]
pub(crate) struct Remove {
    /// Which, by id or name
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
    /// Do not mind if one is not there
    #[arg(short, long)]
    force: bool,
}

const INGRESS: &str = "Before removing the routing-mesh network, make sure all the nodes in your swarm run the same \
                       version. Otherwise, removal may not be effective and functionality of newly create ingress \
                       networks will be impaired.";

impl Remove {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut failures = Vec::new();
        for network in &self.networks {
            let path = format!("/networks/{network}");
            let found = session.client.get::<Network>(&path).await;
            if found.is_ok_and(|network| network.ingress)
                && !session.confirm(&format!("WARNING! {INGRESS}"))?
            {
                continue;
            }
            match session.client.delete(&path).await {
                Ok(()) => session.line(network)?,
                Err(error) if self.force && error.is_not_found() => {}
                Err(error) => failures.push(error.to_string()),
            }
        }
        if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
    }
}

/// Remove networks that nothing uses
#[derive(Debug, Args)]
#[command(after_help = "Filters: label, until\n\nExample:\n  skep network prune --force --filter until=24h")]
pub(crate) struct Prune {
    #[command(flatten)]
    pruning: Pruning,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let warning = "This will remove all custom networks not used by at least one container.";
        if self.pruning.is_wanted(session, warning)? {
            prune(session, &self.pruning).await?;
        }
        Ok(())
    }
}

/// Removes them, and shows which they were.
pub(crate) async fn prune(session: &mut Session, pruning: &Pruning) -> Result<()> {
    let pruned: NetworksPruned = pruning.remove(session, "/networks/prune", &[]).await?;
    show(session, "Networks", &pruned.networks_deleted)
}
