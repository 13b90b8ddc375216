//! Snapshots on disk: the whole book in one sealed file, in place of all entries up to it.
//!
//! A file is written beside its place and renamed, so that it is whole or not there. It is named
//! `snapshot-<index>-<term>`. All numbers are little-endian:
//!
//! ```text
//! "SKEPSNAP" | key id [8] | nonce [24] | index u64 | term u64 | crc32 of the sealed bytes u32 | crc32 of the above u32
//! sealed bytes: tag [16] | ciphertext of: index | term | voters u32, u64 each | learners u32, u64 each | the book
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use host::files::{self, Access, Durability};
use raft::{ConfState, Snapshot};

use super::LogError;
use super::batch::Reader;
use super::seal::{KeyId, Keys, TAG_BYTES};
use super::segment::Damage;

const MAGIC: &[u8; 8] = b"SKEPSNAP";
const HEADER_BYTES: usize = 64;

/// Writes a snapshot and waits until it is on disk.
pub(crate) fn write(folder: &Path, keys: &Keys, snapshot: &Snapshot) -> Result<(), LogError> {
    let Snapshot { index, term, members: ConfState { voters, learners }, data } = snapshot;
    let path = folder.join(format!("snapshot-{index:016x}-{term:016x}"));
    let nonce: [u8; 24] = host::chance::bytes().map_err(|error| LogError::io("writing", &path, error))?;
    let mut plain = Vec::with_capacity(data.len() + 64);
    plain.extend(index.to_le_bytes());
    plain.extend(term.to_le_bytes());
    for list in [voters, learners] {
        plain.extend((list.len() as u32).to_le_bytes());
        list.iter().for_each(|id| plain.extend(id.to_le_bytes()));
    }
    plain.extend(&data[..]);
    let tag = keys.current.seal(&nonce, &mut plain);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + TAG_BYTES + plain.len());
    bytes.extend(MAGIC);
    bytes.extend(keys.current.id().0);
    bytes.extend(nonce);
    bytes.extend(index.to_le_bytes());
    bytes.extend(term.to_le_bytes());
    bytes.extend(crc_of(&tag, &plain).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(tag);
    bytes.extend(plain);
    files::replace(&path, &bytes, Access::Private, Durability::Synced)
        .map_err(|error| LogError::io("writing", &path, error))
}

/// The latest snapshot in a folder, if there is any.
pub(crate) fn latest(folder: &Path, keys: &Keys) -> Result<Option<Snapshot>, LogError> {
    match paths(folder)?.last() {
        Some(path) => read(path, keys).map(Some),
        None => Ok(None),
    }
}

/// Seals anew, with the present key, all snapshots that are sealed with an earlier one.
pub(crate) fn reseal(folder: &Path, keys: &Keys) -> Result<(), LogError> {
    for path in paths(folder)? {
        let bytes = fs::read(&path).map_err(|error| LogError::io("reading", &path, error))?;
        if Header::read(&bytes).is_none_or(|header| header.key != keys.current.id()) {
            write(folder, keys, &read(&path, keys)?)?;
        }
    }
    Ok(())
}

/// Removes all but the latest snapshot and `keep` before it.
pub(crate) fn remove_old(folder: &Path, keep: u64) -> Result<(), LogError> {
    let paths = paths(folder)?;
    let spare = paths.len().saturating_sub(1).saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    for path in &paths[..spare] {
        files::remove_if_there(path).map_err(|error| LogError::io("removing", path, error))?;
    }
    Ok(())
}

/// All snapshots, the oldest first.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let broken = |error| LogError::io("listing", folder, error);
    let mut paths = Vec::new();
    for item in fs::read_dir(folder).map_err(broken)? {
        let path = item.map_err(broken)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("snapshot-") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path, keys: &Keys) -> Result<Snapshot, LogError> {
    let bytes = fs::read(path).map_err(|error| LogError::io("reading", path, error))?;
    let damaged = |offset: usize, what| LogError::damaged(path, Damage { offset: offset as u64, what });
    let header = Header::read(&bytes).ok_or_else(|| damaged(0, "the snapshot's header was changed"))?;
    let changed = || damaged(HEADER_BYTES, "the snapshot was changed or cut off");
    let (tag, sealed) = bytes[HEADER_BYTES..].split_first_chunk::<TAG_BYTES>().ok_or_else(changed)?;
    if crc_of(tag, sealed) != header.crc {
        return Err(changed());
    }
    let key = keys.find(header.key).ok_or_else(|| LogError::UnknownKey { path: path.to_owned() })?;
    let mut plain = sealed.to_vec();
    key.open(&header.nonce, tag, &mut plain)
        .map_err(|_| damaged(HEADER_BYTES, "the snapshot was forged, or sealed with another key"))?;
    decode(&plain)
        .filter(|snapshot| (snapshot.index, snapshot.term) == (header.index, header.term))
        .ok_or_else(|| damaged(HEADER_BYTES, "the snapshot makes no sense"))
}

struct Header {
    key: KeyId,
    nonce: [u8; 24],
    index: u64,
    term: u64,
    crc: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        let mut reader = Reader(content);
        let magic: [u8; 8] = reader.array()?;
        let header = Self {
            key: KeyId(reader.array()?),
            nonce: reader.array()?,
            index: reader.u64()?,
            term: reader.u64()?,
            crc: reader.u32()?,
        };
        (magic == *MAGIC && crc32fast::hash(content).to_le_bytes() == crc).then_some(header)
    }
}

fn decode(plain: &[u8]) -> Option<Snapshot> {
    let mut reader = Reader(plain);
    let (index, term) = (reader.u64()?, reader.u64()?);
    let mut list = || {
        let count = reader.u32()?;
        (0..count).map(|_| reader.u64()).collect::<Option<Vec<u64>>>()
    };
    let members = ConfState { voters: list()?, learners: list()? };
    Some(Snapshot { index, term, members, data: reader.0.into() })
}

fn crc_of(tag: &[u8], sealed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(tag);
    hasher.update(sealed);
    hasher.finalize()
}
