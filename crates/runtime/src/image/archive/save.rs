//! `save`: images as one archive, which is both in the format of `docker save` and an OCI layout.
//!
//! Layers go out as they came in, so their digests stay what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use model::image::ImageRef;
use tar::{Builder, EntryType, Header};

use super::{FULL_NAME, INDEX_FILE, LayoutImage, LayoutIndex, MANIFEST_FILE, SHORT_NAME, SavedImage};
use crate::image::catalog::Layer;
use crate::image::digest::{Digest, ImageId};
use crate::image::error::ImageError;
use crate::image::manifest::{Descriptor, ImageManifest};
use crate::image::shelf::Shelf;

/// One image to be saved, and the names it goes by.
pub(crate) struct ToSave {
    pub(crate) id: ImageId,
    names: Vec<ImageRef>,
    layers: Vec<Layer>,
}

impl Shelf {
    /// Finds what these names mean: an id means the image with all its names, a name the image with this one.
    pub(crate) fn to_save(&self, names: &[String]) -> Result<Vec<ToSave>, ImageError> {
        self.read(|catalog| {
            let mut wanted: BTreeMap<ImageId, Vec<ImageRef>> = BTreeMap::new();
            for name in names {
                let id = catalog.resolve(name)?;
                let reference =
                    ImageRef::parse(name).ok().filter(|reference| catalog.find(reference) == Some(id));
                let known = wanted.entry(id).or_default();
                match reference {
                    Some(reference) if reference.digest.is_none() => known.push(reference),
                    Some(_) => {}
                    None => known.extend(catalog.names_of(id)),
                }
                known.sort();
                known.dedup();
            }
            let to_save = |(id, names)| {
                let layers = catalog.layers_of(id)?.into_iter().cloned().collect();
                Ok(ToSave { id, names, layers })
            };
            wanted.into_iter().map(to_save).collect()
        })
    }

    /// Writes the archive.
    pub(crate) fn save(&self, images: &[ToSave], out: impl Write) -> io::Result<()> {
        let mut archive = Builder::new(out);
        let mut written = BTreeSet::new();
        folder(&mut archive, "blobs")?;
        folder(&mut archive, "blobs/sha256")?;
        let (mut saved, mut layout) = (Vec::new(), Vec::new());
        for image in images {
            self.save_blobs(image, &mut archive, &mut written)?;
            let manifest = serde_json::to_vec(&self.manifest(image)?)?;
            let digest = Digest::of(&manifest);
            if written.insert(digest) {
                file(&mut archive, &blob_path(&digest), (manifest.len() as u64, manifest.as_slice()))?;
            }
            saved.push(saved_image(image));
            layout.extend(layout_images(image, digest, manifest.len() as u64));
        }
        let index =
            LayoutIndex { schema_version: 2, media_type: Some(INDEX_TYPE.to_owned()), manifests: layout };
        for (name, bytes) in [
            (INDEX_FILE, serde_json::to_vec(&index)?),
            (MANIFEST_FILE, serde_json::to_vec(&saved)?),
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ] {
            file(&mut archive, name, (bytes.len() as u64, bytes.as_slice()))?;
        }
        archive.into_inner()?.flush()
    }

    fn save_blobs(
        &self,
        image: &ToSave,
        archive: &mut Builder<impl Write>,
        written: &mut BTreeSet<Digest>,
    ) -> io::Result<()> {
        let blobs = std::iter::once(image.id.0).chain(image.layers.iter().map(|layer| layer.blob));
        for digest in blobs {
            if written.insert(digest) {
                let blob = self.content.open_blob(&digest)?;
                file(archive, &blob_path(&digest), (blob.metadata()?.len(), blob))?;
            }
        }
        Ok(())
    }

    /// The manifest of an image whose layers are as they came.
    pub(crate) fn manifest(&self, image: &ToSave) -> io::Result<ImageManifest> {
        let describe = |media_type: &str, digest, size| Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: None,
        };
        let mut layers = Vec::with_capacity(image.layers.len());
        for layer in &image.layers {
            let mut magic = Vec::new();
            self.content.open_blob(&layer.blob)?.take(4).read_to_end(&mut magic)?;
            let media_type = match magic[..] {
                [0x1f, 0x8b, ..] => "application/vnd.oci.image.layer.v1.tar+gzip",
                [0x28, 0xb5, 0x2f, 0xfd] => "application/vnd.oci.image.layer.v1.tar+zstd",
                _ => "application/vnd.oci.image.layer.v1.tar",
            };
            layers.push(describe(media_type, layer.blob, layer.blob_bytes));
        }
        let config_bytes = self.content.open_blob(&image.id.0)?.metadata()?.len();
        let config = describe("application/vnd.oci.image.config.v1+json", image.id.0, config_bytes);
        Ok(ImageManifest { schema_version: 2, media_type: Some(MANIFEST_TYPE.to_owned()), config, layers })
    }
}

fn saved_image(image: &ToSave) -> SavedImage {
    SavedImage {
        config: blob_path(&image.id.0),
        repo_tags: Some(image.names.iter().map(ImageRef::familiar).collect()),
        layers: image.layers.iter().map(|layer| blob_path(&layer.blob)).collect(),
    }
}

/// The entries of the layout's index: one for each name, or one without any.
fn layout_images(image: &ToSave, digest: Digest, size: u64) -> Vec<LayoutImage> {
    let entry = |annotations| LayoutImage { media_type: MANIFEST_TYPE.to_owned(), digest, size, annotations };
    if image.names.is_empty() {
        return vec![entry(BTreeMap::new())];
    }
    let named = |name: &ImageRef| {
        let short = name.tag_or_latest().unwrap_or_default().to_owned();
        entry(BTreeMap::from([(FULL_NAME.to_owned(), name.to_string()), (SHORT_NAME.to_owned(), short)]))
    };
    image.names.iter().map(named).collect()
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn folder(archive: &mut Builder<impl Write>, path: &str) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    archive.append_data(&mut header, format!("{path}/"), io::empty())
}

fn file(archive: &mut Builder<impl Write>, path: &str, (bytes, data): (u64, impl Read)) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(bytes);
    archive.append_data(&mut header, path, data)
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
