//! `skep network ls`.

use anyhow::Result;
use api::network::Network;
use clap::Args;

use crate::commands::listing::Listing;
use crate::output::format::{Column, Format, Row, labels, row};
use crate::output::width::Width;
use crate::session::Session;

/// List networks
#[derive(Debug, Args)]
#[command(after_help = "Filters: dangling, driver, id, label, name, scope, type\n\n\
                        Example:\n  skep network ls --filter scope=swarm --format '{{.Name}} {{.Driver}}'")]
pub(crate) struct List {
    #[command(flatten)]
    listing: Listing,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
}

const FORMAT: Format = Format {
    key: "ID",
    plain: &["ID", "Name", "Driver", "Scope"],
    columns: &[
        Column { field: "ID", head: "NETWORK ID" },
        Column { field: "Name", head: "NAME" },
        Column { field: "Driver", head: "DRIVER" },
        Column { field: "Scope", head: "SCOPE" },
        Column { field: "IPv4", head: "IPV4" },
        Column { field: "IPv6", head: "IPV6" },
        Column { field: "Internal", head: "INTERNAL" },
        Column { field: "Labels", head: "LABELS" },
        Column { field: "CreatedAt", head: "CREATED AT" },
    ],
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut networks: Vec<Network> = self.listing.ask(session, "/networks").await?;
        networks.sort_by(|one, other| one.name.cmp(&other.name));
        let rows: Vec<Row> = networks.iter().map(|network| line(network, self.no_trunc.into())).collect();
        self.listing.show(session, &FORMAT, &rows)
    }
}

fn line(network: &Network, width: Width) -> Row {
    let [shown, whole] = labels(&network.labels);
    let created = network.created.to_string();
    row([
        ("ID", width.id(&network.id).into()),
        ("Name", network.name.clone().into()),
        ("Driver", network.driver.clone().into()),
        ("Scope", network.scope.clone().into()),
        ("IPv4", network.enable_ipv4.to_string().into()),
        ("IPv6", network.enable_ipv6.to_string().into()),
        ("Internal", network.internal.to_string().into()),
        shown,
        whole,
        ("CreatedAt", format!("{} +0000 UTC", created.trim_end_matches('Z').replacen('T', " ", 1)).into()),
    ])
}
