//! `skep volume ls`, and one volume in a table.

use anyhow::Result;
use api::volume::{Volume, VolumeList};
use clap::Args;

use crate::commands::listing::Listing;
use crate::output::format::{Column, Format, Row, labels, row};
use crate::output::units;
use crate::session::Session;

/// List volumes
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: dangling, driver, label, name\n\nExample:\n  skep volume ls --filter dangling=true --quiet"
)]
pub(crate) struct List {
    #[command(flatten)]
    listing: Listing,
}

/// Everything that a table of volumes can show.
pub(crate) const COLUMNS: &[Column] = &[
    Column { field: "Name", head: "VOLUME NAME" },
    Column { field: "Driver", head: "DRIVER" },
    Column { field: "Scope", head: "SCOPE" },
    Column { field: "Mountpoint", head: "MOUNTPOINT" },
    Column { field: "Labels", head: "LABELS" },
    Column { field: "Links", head: "LINKS" },
    Column { field: "Size", head: "SIZE" },
    Column { field: "Group", head: "GROUP" },
    Column { field: "Availability", head: "AVAILABILITY" },
    Column { field: "Status", head: "STATUS" },
];
const FORMAT: Format = Format { key: "Name", plain: &["Driver", "Name"], columns: COLUMNS };

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut list: VolumeList = self.listing.ask(session, "/volumes").await?;
        list.volumes.sort_by(|one, other| one.name.cmp(&other.name));
        self.listing.show(session, &FORMAT, &list.volumes.iter().map(line).collect::<Vec<_>>())
    }
}

/// The row of a volume.
pub(crate) fn line(volume: &Volume) -> Row {
    const UNKNOWN: &str = "N/A";
    let [shown, whole] = labels(&volume.labels);
    let (links, size) = match volume.usage_data {
        Some(usage) => (usage.ref_count.to_string(), units::long_size(usage.size as f64)),
        None => (UNKNOWN.to_owned(), UNKNOWN.to_owned()),
    };
    row([
        ("Name", volume.name.clone().into()),
        ("Driver", volume.driver.clone().into()),
        ("Scope", volume.scope.clone().into()),
        ("Mountpoint", volume.mountpoint.clone().into()),
        shown,
        whole,
        ("Links", links.into()),
        ("Size", size.into()),
        // These three are known of volumes of the swarm only.
        ("Group", UNKNOWN.into()),
        ("Availability", UNKNOWN.into()),
        ("Status", UNKNOWN.into()),
    ])
}
