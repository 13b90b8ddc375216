//! `import`: an image of one layer, from the archive of a root file system.

use std::io::{self, Read};
use std::sync::Arc;

use model::image::ImageRef;

use super::changes;
use crate::image::config::{HistoryEntry, ImageConfig, ImageDocument, RootFs};
use crate::image::digest::ImageId;
use crate::image::error::ImageError;
use crate::image::layers::failure;
use crate::image::manifest::Platform;
use crate::image::progress::Progress;
use crate::image::shelf::Shelf;
use crate::image::show::rfc3339;
use crate::tape::packing::{Bounds, unpacked};

/// What an imported image is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Its name, if it gets one.
    pub name: Option<ImageRef>,
    /// Lines of a Dockerfile that say what containers need: `CMD ["sh"]`, `ENV a=b` …
    pub changes: Vec<String>,
    /// A word on it.
    pub message: String,
    /// What it runs on; absent means this machine.
    pub platform: Option<Platform>,
}

impl Shelf {
    /// Makes an image of this archive.
    pub(crate) fn import(&self, archive: impl Read, options: ImportOptions) -> Result<ImageId, ImageError> {
        let ImportOptions { name, changes, message, platform } = options;
        if name.as_ref().is_some_and(|name| name.digest.is_some()) {
            return Err(ImageError::invalid("cannot import digest reference"));
        }
        let mut config = ImageConfig::default();
        changes.iter().try_for_each(|line| changes::apply(&mut config, line))?;
        let failed = |error: io::Error| failure("importing an archive", &error);
        let mut draft = self.content.draft().map_err(failed)?;
        io::copy(&mut unpacked(archive, Bounds::default()).map_err(failed)?, &mut draft).map_err(failed)?;
        let (diff_id, _) = draft.keep().map_err(failed)?;

        let now = host::clock::now().nanos();
        let created = rfc3339(now);
        let comment = if message.is_empty() { "Imported from -".to_owned() } else { message };
        let Platform { architecture, os, os_version, variant } = platform.unwrap_or_else(Platform::here);
        let document = ImageDocument {
            architecture,
            variant,
            os,
            os_version,
            created: created.clone(),
            comment: comment.clone(),
            config: Arc::new(config),
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![diff_id] },
            history: vec![HistoryEntry { created, comment, ..HistoryEntry::default() }],
            ..ImageDocument::default()
        };
        let bytes = serde_json::to_vec(&document).expect("a document of texts and numbers can be written");
        let id = ImageId(self.content.put(&bytes).map_err(failed)?);
        let stacks = self.install(id, &[diff_id], &Progress::silent())?;
        self.add_image(id, &stacks, |catalog| name.iter().try_for_each(|name| catalog.name(name, id, now)))?;
        Ok(id)
    }
}
