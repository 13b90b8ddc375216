//! How many bytes containers take: what they wrote, and their images beneath.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::container::{ContainerId, Record};

use crate::daemon::Daemon;

/// How many bytes a container takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// What it wrote.
    pub(super) written: i64,
    /// That and its image.
    pub(super) whole: i64,
}

/// The sizes of these containers; one that vanishes meanwhile has none. Reads all folders they wrote, where that holds
/// nobody up.
pub(super) async fn sizes(daemon: &Daemon, records: &[Arc<Record>]) -> BTreeMap<ContainerId, Size> {
    let (containers, images, records) = (daemon.containers.clone(), daemon.images.clone(), records.to_vec());
    let size = move |record: &Arc<Record>| {
        let written = containers.bytes_written(record.id).ok()?;
        let image = images.resolve(&record.description.image.id).and_then(|id| images.bytes(id));
        // An image that was forced away is counted no more.
        let whole = written + image.unwrap_or(0);
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Some((record.id, Size { written: signed(written), whole: signed(whole) }))
    };
    let measured = tokio::task::spawn_blocking(move || records.iter().filter_map(size).collect());
    measured.await.unwrap_or_default()
}
