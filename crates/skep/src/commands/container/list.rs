//! `skep container ls`, `skep ps`.

use anyhow::Result;
use api::container::ContainerSummary;
use clap::Args;

use super::row::{COLUMNS, line};
use crate::commands::listing::Listing;
use crate::output::format::{Format, Row};
use crate::session::Session;

/// List containers
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: ancestor, before, exited, expose, health, id, is-task, label, name, network, \
                        publish, since, status, volume\n\n\
                        Examples:\n  skep ps\n  skep ps --all --filter status=exited --format '{{.Names}}: {{.Status}}'"
)]
pub(crate) struct List {
    /// Show ended ones as well
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    listing: Listing,
    /// Show only the last so many, ended ones as well
    #[arg(short = 'n', long, value_name = "COUNT", allow_negative_numbers = true)]
    last: Option<i32>,
    /// Show only the latest, ended ones as well
    #[arg(short, long)]
    latest: bool,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show how much they hold
    #[arg(short, long)]
    size: bool,
}

const PLAIN: Format = Format {
    key: "ID",
    plain: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
    columns: COLUMNS,
};
const WITH_SIZES: Format = Format {
    key: "ID",
    plain: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", "Size"],
    columns: COLUMNS,
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let shows_size = self.size || self.listing.shows("Size");
        let mut path = format!("/containers/json?all={}&size={}", u8::from(self.all), u8::from(shows_size));
        if let Some(limit) = if self.latest { Some(1) } else { self.last } {
            path.push_str(&format!("&limit={limit}"));
        }
        let containers: Vec<ContainerSummary> = self.listing.ask(session, &path).await?;
        let rows: Vec<Row> =
            containers.iter().map(|container| line(container, self.no_trunc.into())).collect();
        self.listing.show(session, if self.size { &WITH_SIZES } else { &PLAIN }, &rows)
    }
}
