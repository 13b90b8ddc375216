//! `skep service ps`.

use anyhow::Result;
use api::service::Service;
use clap::Args;

use crate::commands::tasks::{Ids, TaskOptions};
use crate::session::{Session, filters};

/// List the tasks of services
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: desired-state, id, label, name, node\n\nExample:\n  skep service ps --filter desired-state=running web"
)]
pub(crate) struct Tasks {
    /// Which, by id or name
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    options: TaskOptions,
}

impl Tasks {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut filters = filters(&self.options.listing.filter);
        for service in &self.services {
            let found = session.client.get::<Service>(&format!("/services/{service}")).await;
            filters.add(
                "service",
                found.map_err(|error| error.or_missing(format!("no such service: {service}")))?.id,
            );
        }
        self.options.show(session, &filters, Ids::Whole).await
    }
}
