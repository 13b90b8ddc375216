//! `skep node ps`.

use anyhow::Result;
use api::node::Node;
use clap::Args;

use crate::commands::tasks::{Ids, TaskOptions};
use crate::session::{Session, filters};

/// List the tasks of nodes; of this one if none is named
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: desired-state, id, label, name\n\nExample:\n  skep node ps self --filter desired-state=running"
)]
pub(crate) struct Tasks {
    /// Which, by id or name; `self` is the one that is spoken with
    #[arg(value_name = "NODE", default_value = "self")]
    nodes: Vec<String>,
    #[command(flatten)]
    options: TaskOptions,
}

impl Tasks {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut filters = filters(&self.options.listing.filter);
        for node in &self.nodes {
            let name = super::resolved(session, node).await?;
            let node: Node = session.client.get(&format!("/nodes/{name}")).await?;
            filters.add("node", node.id);
        }
        self.options.show(session, &filters, Ids::Short).await
    }
}
