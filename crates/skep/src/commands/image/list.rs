//! `skep image ls`.

use anyhow::Result;
use api::image::ImageSummary;
use clap::Args;
use serde_json::Value;

use crate::output::format::{Column, Format, Row};
use crate::output::units;
use crate::session::{Session, filters, short, with_filters};

/// List images
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image ls --filter dangling=true --quiet")]
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
    /// Only those that fit, KEY=VALUE: before, dangling, label, reference, since, until
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const COLUMNS: &[Column] = &[
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
const PLAIN: Format =
    Format { plain: &["Repository", "Tag", "ID", "CreatedSince", "Size"], columns: COLUMNS };
const WITH_DIGESTS: Format =
    Format { plain: &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"], columns: COLUMNS };

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut chosen = filters(&self.filter)?;
        if let Some(name) = &self.name {
            chosen.add("reference", name);
        }
        let path = with_filters(&format!("/images/json?all={}", u8::from(self.all)), &chosen);
        let images: Vec<ImageSummary> = session.client.get(&path).await?;
        let rows: Vec<Row> = images.iter().flat_map(|image| self.rows(image)).collect();
        if self.quiet {
            return images.iter().flat_map(names).try_for_each(|name| session.line(self.id(name.image)));
        }
        let format = if self.digests { &WITH_DIGESTS } else { &PLAIN };
        format.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }

    fn id(&self, image: &ImageSummary) -> String {
        if self.no_trunc { image.id.clone() } else { short(&image.id) }
    }

    fn rows(&self, image: &ImageSummary) -> Vec<Row> {
        let row = |Name { repository, tag, digest, image }: Name<'_>| {
            let unknown = || "N/A".to_owned();
            let cells = [
                ("Repository", repository.to_owned()),
                ("Tag", tag.to_owned()),
                ("Digest", digest.to_owned()),
                ("ID", self.id(image)),
                ("CreatedSince", units::ago(image.created)),
                ("CreatedAt", units::moment(image.created)),
                ("Size", units::size(image.size as f64)),
                ("Containers", unknown()),
                ("VirtualSize", units::size(image.size as f64)),
                ("SharedSize", unknown()),
                ("UniqueSize", unknown()),
            ];
            cells.into_iter().map(|(field, text)| (field.to_owned(), Value::String(text))).collect()
        };
        names(image).into_iter().map(row).collect()
    }
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
