//! `skep image ls`.

use anyhow::Result;
use api::image::ImageSummary;
use clap::Args;

use super::row::{COLUMNS, lines};
use crate::commands::listing::Listing;
use crate::output::format::{Format, Row};
use crate::session::Session;

/// List images
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: before, dangling, label, reference, since, until\n\nExample:\n  skep image ls --filter dangling=true --quiet"
)]
pub(crate) struct List {
    /// Only those of this name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
    /// Show intermediate ones as well
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    #[command(flatten)]
    listing: Listing,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
}

const PLAIN: Format =
    Format { key: "ID", plain: &["Repository", "Tag", "ID", "CreatedSince", "Size"], columns: COLUMNS };
const WITH_DIGESTS: Format = Format {
    key: "ID",
    plain: &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
    columns: COLUMNS,
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut listing = self.listing;
        listing.filter.extend(self.name.map(|name| format!("reference={name}")));
        let path = format!("/images/json?all={}", u8::from(self.all));
        let images: Vec<ImageSummary> = listing.ask(session, &path).await?;
        let rows: Vec<Row> = images.iter().flat_map(|image| lines(image, self.no_trunc.into())).collect();
        listing.show(session, if self.digests { &WITH_DIGESTS } else { &PLAIN }, &rows)
    }
}
