//! One image in a table, under each of its names: for `image ls` and `system df`.

use api::image::ImageSummary;

use crate::output::format::{Column, Row, row};
use crate::output::units;
use crate::output::width::Width;

/// Everything that a table of images can show.
pub(crate) const COLUMNS: &[Column] = &[
    Column { field: "Repository", head: "REPOSITORY" },
    Column { field: "Tag", head: "TAG" },
    Column { field: "Digest", head: "DIGEST" },
    Column { field: "ID", head: "IMAGE ID" },
    Column { field: "CreatedSince", head: "CREATED" },
    Column { field: "CreatedAt", head: "CREATED AT" },
    Column { field: "Size", head: "SIZE" },
    Column { field: "Containers", head: "CONTAINERS" },
    Column { field: "VirtualSize", head: "SIZE" },
    Column { field: "SharedSize", head: "SHARED SIZE" },
    Column { field: "UniqueSize", head: "UNIQUE SIZE" },
];

/// The rows of an image: one for each of its names.
pub(crate) fn lines(image: &ImageSummary, width: Width) -> Vec<Row> {
    let line = |Name { repository, tag, digest, image }: Name<'_>| {
        row([
            ("Repository", repository.into()),
            ("Tag", tag.into()),
            ("Digest", digest.into()),
            ("ID", width.id(&image.id).into()),
            ("CreatedSince", units::ago(image.created).into()),
            ("CreatedAt", units::moment(image.created).into()),
            ("Size", units::size(image.size as f64).into()),
            ("Containers", counted(image.containers, |count| count.to_string()).into()),
            ("VirtualSize", units::long_size(image.size as f64).into()),
            ("SharedSize", counted(image.shared_size, |size| units::long_size(size as f64)).into()),
            ("UniqueSize", counted(unique(image), |size| units::long_size(size as f64)).into()),
        ])
    };
    names(image).into_iter().map(line).collect()
}

/// What the daemon counted; −1 means that it did not.
fn counted(count: i64, show: impl Fn(i64) -> String) -> String {
    if count < 0 { "N/A".to_owned() } else { show(count) }
}

/// What no other image has.
fn unique(image: &ImageSummary) -> i64 {
    if image.shared_size < 0 { -1 } else { image.size - image.shared_size }
}

/// An image under one of its names.
struct Name<'a> {
    repository: &'a str,
    tag: &'a str,
    digest: &'a str,
    image: &'a ImageSummary,
}

/// The image under each of its names; under none if it has none.
fn names(image: &ImageSummary) -> Vec<Name<'_>> {
    const NONE: &str = "<none>";
    let digest_of = |repository: &str| {
        let of = |digest: &&String| digest.split_once('@').is_some_and(|(name, _)| name == repository);
        let found = image.repo_digests.iter().find(of).and_then(|digest| digest.split_once('@'));
        found.map_or(NONE, |(_, digest)| digest)
    };
    let tagged = image.repo_tags.iter().filter_map(|name| name.rsplit_once(':'));
    let mut all: Vec<Name<'_>> = tagged
        .map(|(repository, tag)| Name { repository, tag, digest: digest_of(repository), image })
        .collect();
    if all.is_empty() {
        let untagged = image.repo_digests.iter().filter_map(|name| name.split_once('@'));
        all.extend(untagged.map(|(repository, digest)| Name { repository, tag: NONE, digest, image }));
    }
    if all.is_empty() {
        all.push(Name { repository: NONE, tag: NONE, digest: NONE, image });
    }
    all
}
