//! `skep service inspect`.

use anyhow::Result;
use api::network::Network;
use api::service::Service;
use clap::Args;
use serde_json::Value;

use super::page::page;
use crate::commands::inspecting::Paging;
use crate::session::Session;

/// Show everything about services
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep service inspect --pretty web\n  skep service inspect --format '{{.Spec.Name}}' web"
)]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    paging: Paging,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let ask = async |session: &Session, service: &str| {
            let found = session.client.get(&format!("/services/{service}?insertDefaults=true")).await;
            found.map_err(|error| error.or_missing(format!("Error: no such service: {service}")))
        };
        let page = async |session: &mut Session, value: Value| {
            let service: Service = serde_json::from_value(value)?;
            let networks = network_names(session, &service).await?;
            Ok(page(&service, &networks))
        };
        self.paging.show(session, &self.services, ask, page).await
    }
}

/// The names of the networks that its tasks join; ids of those that nobody knows any more.
async fn network_names(session: &Session, service: &Service) -> Result<Vec<String>> {
    let wished = &service.spec.task_template.networks;
    if wished.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<Network> = session.client.get("/networks").await?;
    let name = |id: &String| {
        known.iter().find(|network| network.id == *id).map_or(id, |network| &network.name).clone()
    };
    Ok(wished.iter().map(|network| name(&network.target)).collect())
}
