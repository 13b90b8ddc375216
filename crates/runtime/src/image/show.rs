//! What is shown of images: lists, `inspect`, `history`, and how much room they take.
//!
//! The shapes are those of the Engine API, so that a route only writes them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Timestamp;
use model::image::ImageRef;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::image::catalog::{self, Catalog};
use crate::image::config::{ImageConfig, ImageDocument};
use crate::image::digest::ImageId;
use crate::image::error::ImageError;
use crate::image::remove::Uses;
use crate::image::shelf::Shelf;

/// One image in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSummary {
    /// The image.
    pub id: ImageId,
    /// Always empty: images are pulled and loaded here, not built.
    pub parent_id: String,
    /// Its names.
    pub repo_tags: Vec<String>,
    /// Under which digests registries know it.
    pub repo_digests: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The bytes of its files.
    pub size: u64,
    /// The bytes of files that other images stand on too; −1 if not counted.
    pub shared_size: i64,
    /// As `size`; older clients ask for it.
    pub virtual_size: u64,
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// How many containers use it; −1 if not counted.
    pub containers: i64,
}

/// Everything about one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageInspect {
    /// The image.
    pub id: ImageId,
    /// Its names.
    pub repo_tags: Vec<String>,
    /// Under which digests registries know it.
    pub repo_digests: Vec<String>,
    /// Always empty.
    pub parent: String,
    /// What its maker said.
    pub comment: String,
    /// When it was made, as RFC 3339; left out if it does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// What made it.
    pub docker_version: String,
    /// Who made it.
    pub author: String,
    /// What a container takes from it.
    pub config: Arc<ImageConfig>,
    /// For which processor.
    pub architecture: String,
    /// For which kind of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// For which kernel.
    pub os: String,
    /// For which version of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// The bytes of its files.
    pub size: u64,
    /// As `size`; older clients ask for it.
    pub virtual_size: u64,
    /// Where its layers are.
    pub graph_driver: Value,
    /// Its layers, as digests of what they contain.
    #[serde(rename = "RootFS")]
    pub root_fs: Value,
    /// When it last got a name.
    pub metadata: Value,
}

/// One step of an image's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HistoryItem {
    /// The image for its last step, `<missing>` for those before.
    pub id: String,
    /// When, in seconds since 1970.
    pub created: i64,
    /// By which command.
    pub created_by: String,
    /// The image's names at its last step.
    pub tags: Option<Vec<String>>,
    /// The bytes of files it added.
    pub size: u64,
    /// What its maker said.
    pub comment: String,
}

/// How much room images take.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageUsage {
    /// The bytes of all layers, each counted once.
    pub layers_size: u64,
    /// Every image, with shared sizes and containers counted.
    pub images: Vec<ImageSummary>,
}

/// Which images a list shows. Empty lists ask for nothing; within one list any match will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// Names, with `*`, `?` and `[…]`; without a tag every tag is meant.
    pub references: Vec<String>,
    /// `key` or `key=value`; all of them.
    pub labels: Vec<String>,
    /// `key` or `key=value` that it must not have.
    pub labels_not: Vec<String>,
    /// Only images without (true) or with (false) a name.
    pub dangling: Option<bool>,
    /// Made before this image.
    pub before: Option<String>,
    /// Made after this image.
    pub since: Option<String>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

impl Shelf {
    /// The images that pass the filter, newest first.
    pub(crate) fn list(&self, filter: &ImageFilter, uses: &Uses) -> Result<Vec<ImageSummary>, ImageError> {
        let catalog = self.read(Catalog::clone);
        let made = |name: &Option<String>| {
            let found = name.as_deref().map(|name| catalog.resolve(name).and_then(|id| self.document(id)));
            found.transpose().map(|document| document.map(|document| created_nanos(&document.created)))
        };
        let (before, since) = (made(&filter.before)?, made(&filter.since)?);
        let until = filter.until.map(Timestamp::nanos);
        let mut shown = Vec::new();
        for id in catalog.images.keys().copied() {
            // An image that cannot be read is still shown, so that it can be removed.
            let document = self.document(id).unwrap_or_default();
            let created = created_nanos(&document.created);
            let in_time = before.is_none_or(|limit| created < limit)
                && since.is_none_or(|limit| created > limit)
                && until.is_none_or(|limit| created < limit);
            let names = matching_names(&catalog, id, filter);
            if let Some(names) = names
                && in_time
                && filter.accepts_labels(&document.config.labels)
            {
                shown.push((created, summary(&catalog, id, &document, names, uses)));
            }
        }
        shown.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.id.cmp(&second.id)));
        Ok(shown.into_iter().map(|(_, summary)| summary).collect())
    }

    /// How much room images take.
    pub(crate) fn usage(&self, uses: &Uses) -> Result<ImageUsage, ImageError> {
        let catalog = self.read(Catalog::clone);
        let shares = catalog.shares();
        let mut images = self.list(&ImageFilter::default(), uses)?;
        for image in &mut images {
            let Some(stacks) = catalog.images.get(&image.id).map(|found| &found.stacks) else { continue };
            let shared = stacks.iter().filter(|chain| shares.get(chain).is_some_and(|count| *count > 1));
            let bytes: u64 =
                shared.filter_map(|chain| catalog.layers.get(chain)).map(|layer| layer.bytes).sum();
            image.shared_size = i64::try_from(bytes).unwrap_or(i64::MAX);
            image.containers = i64::try_from(uses.containers_of(image.id)).unwrap_or(i64::MAX);
        }
        let layers_size = catalog.layers.values().map(|layer| layer.bytes).sum();
        Ok(ImageUsage { layers_size, images })
    }

    /// Everything about one image.
    pub(crate) fn inspect(&self, name: &str) -> Result<ImageInspect, ImageError> {
        let catalog = self.read(Catalog::clone);
        let id = catalog.resolve(name)?;
        let document = self.document(id)?;
        let (repo_tags, repo_digests) = (tags(&catalog.names_of(id)), digests(&catalog, id));
        let layers = catalog.layers_of(id)?;
        let size = layers.iter().map(|layer| layer.bytes).sum();
        let folders: Vec<String> =
            layers.iter().rev().map(|layer| self.folder_of(&layer.link).display().to_string()).collect();
        let tagged = catalog.images.get(&id).map_or(0, |image| image.tagged);
        Ok(ImageInspect {
            id,
            repo_tags,
            repo_digests,
            parent: String::new(),
            comment: document.comment.clone(),
            created: document.created.clone(),
            docker_version: document.docker_version.clone(),
            author: document.author.clone(),
            config: Arc::clone(&document.config),
            architecture: document.architecture.clone(),
            variant: document.variant.clone(),
            os: document.os.clone(),
            os_version: document.os_version.clone(),
            size,
            virtual_size: size,
            graph_driver: graph_driver(&folders),
            root_fs: json!({ "Type": "layers", "Layers": document.rootfs.diff_ids }),
            metadata: json!({ "LastTagTime": rfc3339(tagged) }),
        })
    }

    /// How one image came to be, newest step first.
    pub(crate) fn history(&self, name: &str) -> Result<Vec<HistoryItem>, ImageError> {
        let catalog = self.read(Catalog::clone);
        let id = catalog.resolve(name)?;
        let document = self.document(id)?;
        let mut layers = catalog.layers_of(id)?.into_iter();
        let mut items: Vec<HistoryItem> = Vec::with_capacity(document.history.len());
        for step in &document.history {
            let size = if step.empty_layer { 0 } else { layers.next().map_or(0, |layer| layer.bytes) };
            items.push(HistoryItem {
                id: "<missing>".to_owned(),
                created: created_nanos(&step.created).div_euclid(1_000_000_000),
                created_by: step.created_by.clone(),
                tags: None,
                size,
                comment: step.comment.clone(),
            });
        }
        items.reverse();
        if let Some(last) = items.first_mut() {
            last.id = id.to_string();
            last.tags = Some(tags(&catalog.names_of(id))).filter(|tags| !tags.is_empty());
        }
        Ok(items)
    }
}

impl ImageFilter {
    fn accepts_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.labels.iter().all(has) && !self.labels_not.iter().any(has)
    }
}

fn summary(
    catalog: &Catalog,
    id: ImageId,
    document: &ImageDocument,
    names: Vec<ImageRef>,
    uses: &Uses,
) -> ImageSummary {
    let size = catalog.layers_of(id).map_or(0, |layers| layers.iter().map(|layer| layer.bytes).sum());
    let labels = &document.config.labels;
    ImageSummary {
        id,
        parent_id: String::new(),
        repo_tags: tags(&names),
        repo_digests: digests(catalog, id),
        created: created_nanos(&document.created).div_euclid(1_000_000_000),
        size,
        shared_size: -1,
        virtual_size: size,
        labels: Some(labels.clone()).filter(|labels| !labels.is_empty()),
        containers: if uses.is_empty() {
            -1
        } else {
            i64::try_from(uses.containers_of(id)).unwrap_or(i64::MAX)
        },
    }
}

/// The names to show, or nothing if the image is not to be shown.
fn matching_names(catalog: &Catalog, id: ImageId, filter: &ImageFilter) -> Option<Vec<ImageRef>> {
    let names = catalog.names_of(id);
    if filter.dangling.is_some_and(|dangling| dangling != names.is_empty()) {
        return None;
    }
    if filter.references.is_empty() {
        return Some(names);
    }
    let wanted = |name: &ImageRef| filter.references.iter().any(|pattern| name_matches(pattern, name));
    let names: Vec<ImageRef> = names.into_iter().filter(wanted).collect();
    Some(names).filter(|names| !names.is_empty())
}

/// Whether a pattern means this name: the familiar or the full one, with or without its tag.
fn name_matches(pattern: &str, name: &ImageRef) -> bool {
    [name.familiar(), name.familiar_name(), name.to_string(), catalog::full_name(name)]
        .iter()
        .any(|text| glob(pattern.as_bytes(), text.as_bytes()))
}

/// The patterns of shells: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are one letter.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', rest)), _) => {
            let reach = text.iter().position(|letter| *letter == b'/').unwrap_or(text.len());
            let stars = rest.iter().take_while(|letter| **letter == b'*').count();
            (0..=reach).any(|skipped| glob(&rest[stars..], &text[skipped..]))
        }
        (Some((b'?', rest)), Some((letter, text))) => *letter != b'/' && glob(rest, text),
        (Some((b'[', rest)), Some((letter, text))) => match class(rest, *letter) {
            Some((true, rest)) => glob(rest, text),
            _ => false,
        },
        (Some((b'\\', [escaped, rest @ ..])), Some((letter, text))) => escaped == letter && glob(rest, text),
        (Some((wanted, rest)), Some((letter, text))) => wanted == letter && glob(rest, text),
        (Some(_), None) => false,
    }
}

/// Whether a letter is in the class that begins here, and what follows the class.
fn class(pattern: &[u8], letter: u8) -> Option<(bool, &[u8])> {
    let (negated, pattern) = match pattern.split_first() {
        Some((b'^', rest)) => (true, rest),
        _ => (false, pattern),
    };
    let end = pattern.iter().position(|found| *found == b']')?;
    let (inside, rest) = (&pattern[..end], &pattern[end + 1..]);
    let mut found = false;
    let mut index = 0;
    while index < inside.len() {
        let last = if inside.get(index + 1) == Some(&b'-') { inside.get(index + 2) } else { None };
        found |= (inside[index]..=*last.unwrap_or(&inside[index])).contains(&letter);
        index += if last.is_some() { 3 } else { 1 };
    }
    Some((found != negated, rest))
}

fn tags(names: &[ImageRef]) -> Vec<String> {
    names.iter().map(ImageRef::familiar).collect()
}

fn digests(catalog: &Catalog, id: ImageId) -> Vec<String> {
    let known = catalog.images.get(&id).into_iter().flat_map(|image| &image.digests);
    known.map(|known| catalog::familiar_digest(known)).collect()
}

fn graph_driver(folders: &[String]) -> Value {
    let mut data = BTreeMap::new();
    if let Some((top, below)) = folders.split_first() {
        data.insert("UpperDir", top.clone());
        if !below.is_empty() {
            data.insert("LowerDir", below.join(":"));
        }
    }
    json!({ "Name": "overlay2", "Data": data })
}

/// When something was made; 0 if it does not say.
pub(crate) fn created_nanos(text: &str) -> i64 {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
    parsed.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok()).unwrap_or(0)
}

/// A time as Docker writes it; the first of all times if it never was.
pub(crate) fn rfc3339(nanos: i64) -> String {
    if nanos == 0 {
        return "0001-01-01T00:00:00Z".to_owned();
    }
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_docker() {
        let name = |text| ImageRef::parse(text).unwrap();
        for (pattern, text, matches) in [
            ("nginx", "nginx:1", true),
            ("nginx:*", "nginx:1", true),
            ("ng*", "nginx:1", true),
            ("*:1", "nginx:1", true),
            ("*", "bitnami/redis", false),
            ("*/*", "bitnami/redis", true),
            ("docker.io/library/nginx", "nginx", true),
            ("nginx:2", "nginx:1", false),
            ("[m-o]ginx", "nginx:1", true),
            ("[^m-o]ginx", "nginx:1", false),
            ("ngin?", "nginx", true),
            ("[", "nginx", false),
        ] {
            assert_eq!(name_matches(pattern, &name(text)), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let nanos = created_nanos("2024-01-02T03:04:05.5Z");
        assert_eq!(nanos, 1_704_164_645_500_000_000);
        assert_eq!(rfc3339(nanos), "2024-01-02T03:04:05.5Z");
        assert_eq!((created_nanos("yesterday"), rfc3339(0).as_str()), (0, "0001-01-01T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn no_pattern_topples_the_matcher(pattern in "[a-c*?\\[\\]^\\\\-]{0,12}", text in "[a-c/]{0,8}") {
            glob(pattern.as_bytes(), text.as_bytes());
        }
    }
}
