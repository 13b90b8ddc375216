//! `skep container rm` and `prune`.

use anyhow::Result;
use api::container::ContainersPruned;
use clap::Args;

use crate::client::Client;
use crate::output::units;
use crate::session::{Session, filters, with_filters};

/// Remove containers
#[derive(Debug, Args)]
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
pub(crate) struct Prune {
    /// Only those that fit, KEY=VALUE: until, label
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask first
    #[arg(short, long)]
    force: bool,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if !self.force && !session.confirm("WARNING! This will remove all stopped containers.")? {
            return Ok(());
        }
        let path = with_filters("/containers/prune", &filters(&self.filter)?);
        let pruned: ContainersPruned = session.client.post(&path, &()).await?;
        if !pruned.containers_deleted.is_empty() {
            session.line("Deleted Containers:")?;
            pruned.containers_deleted.iter().try_for_each(|id| session.line(id))?;
            session.line("")?;
        }
        session.line(format_args!("Total reclaimed space: {}", units::size(pruned.space_reclaimed as f64)))
    }
}
