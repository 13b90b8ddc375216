//! What images are tried on: archives made by hand, good and evil.

mod archives;
mod layers;
mod registry;

use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde_json::json;
use tar::{EntryType, Header};

use crate::image::digest::Digest;
use crate::image::{Images, Uses};

/// One entry of an archive, as evil as need be.
pub(super) struct Part {
    kind: EntryType,
    path: String,
    link: String,
    data: Vec<u8>,
    mode: u32,
    device: (u32, u32),
}

pub(super) fn part(kind: EntryType, path: &str) -> Part {
    let mode = if kind == EntryType::Directory { 0o755 } else { 0o644 };
    Part { kind, path: path.to_owned(), link: String::new(), data: Vec::new(), mode, device: (0, 0) }
}

pub(super) fn file(path: &str, data: &[u8]) -> Part {
    Part { data: data.to_vec(), ..part(EntryType::Regular, path) }
}

pub(super) fn folder(path: &str) -> Part {
    part(EntryType::Directory, path)
}

pub(super) fn symlink(path: &str, target: &str) -> Part {
    Part { link: target.to_owned(), ..part(EntryType::Symlink, path) }
}

pub(super) fn hard_link(path: &str, target: &str) -> Part {
    Part { link: target.to_owned(), ..part(EntryType::Link, path) }
}

/// The archive of these parts; owned by whoever runs the test, so that it needs no root.
pub(super) fn tar(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..part.path.len()].copy_from_slice(part.path.as_bytes());
        old.linkname[..part.link.len()].copy_from_slice(part.link.as_bytes());
        header.set_entry_type(part.kind);
        header.set_mode(part.mode);
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_mtime(1_000_000_000);
        header.set_size(part.data.len() as u64);
        header.set_device_major(part.device.0).unwrap();
        header.set_device_minor(part.device.1).unwrap();
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&part.data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A configuration of layers with these archives.
pub(super) fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({ "created_by": "test" })).collect();
    let document = json!({
        "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
        "config": { "Cmd": ["/bin/sh"], "Env": ["A=1"], "Labels": { "color": "red" } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history,
    });
    document.to_string().into_bytes()
}

/// The archive of one image, as older versions of Docker save it.
pub(super) fn docker_archive(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut paths = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        paths.push(format!("{index}/layer.tar"));
        parts.push(file(&paths[index], layer));
    }
    parts.push(file("config.json", &config(layers)));
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": paths }]);
    parts.push(file("manifest.json", manifest.to_string().as_bytes()));
    tar(&parts)
}

/// An image's layers for tests that care for nothing in them.
pub(super) fn some_layers() -> Vec<Vec<u8>> {
    let low = tar(&[folder("etc/"), file("etc/name", b"low"), file("etc/low", b"low")]);
    let high = tar(&[file("etc/name", b"high"), file("bin/sh", &[7; 5000])]);
    vec![low, high]
}

pub(super) fn streamed(bytes: &[u8]) -> impl Stream<Item = std::io::Result<Bytes>> + use<> {
    let chunks: Vec<_> = bytes.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

pub(super) fn no_uses() -> Uses {
    Uses::default()
}

/// That a store has nothing in it: no image, layer, blob or draft.
pub(super) fn assert_empty(images: &Images, root: &Path) {
    let count = |path: &str| std::fs::read_dir(root.join(path)).unwrap().count();
    assert_eq!(images.list(&crate::image::ImageFilter::default(), &no_uses()).unwrap(), []);
    assert_eq!((count("l"), count("blobs/sha256"), count("drafts")), (0, 0, 0), "something is left");
}
