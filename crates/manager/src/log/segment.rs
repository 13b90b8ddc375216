//! One file of the log: a header, and sealed frames behind each other, one for each batch.
//!
//! All numbers are little-endian. A file begins with 64 bytes:
//!
//! ```text
//! "SKEPLOG1" | sequence u64 | first batch u64 | key id [8] | salt [16] | zeros [12] | crc32 of the above u32
//! ```
//!
//! Frames follow, each at a multiple of 16:
//!
//! ```text
//! length u32 | batch u32 | crc32 of the sealed bytes u32 | crc32 of the salt and the above u32
//! sealed bytes: tag [16] | ciphertext [length - 16]
//! 0xFF, one to sixteen times, up to the next multiple of 16
//! ```
//!
//! The rest of the file is zeros, written ahead, so that a sync need not wait for the file system's own notes. A
//! frame's nonce is the file's salt and the frame's offset, so that frames can be neither moved nor exchanged;
//! a file is never continued after a restart, so that no nonce is used twice.
//!
//! A frame that was being written when the machine fell is *torn*: what is missing of it is zeros, or beyond
//! the end of the file. It was never acknowledged, and is dropped. Anything else that does not fit is *damage*:
//! one changed bit leaves no zeros where the 0xFF ought to be. A torn frame has nothing behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::batch::{self, Batch, Reader};
use super::seal::{DataKey, KeyId, TAG_BYTES, nonce};

/// Bytes before the first frame.
pub(crate) const HEADER_BYTES: u64 = 64;
const FRAME_HEADER_BYTES: usize = 16;
const ALIGNMENT: usize = 16;
/// What a disk writes in one piece.
const SECTOR_BYTES: usize = 512;
const MAGIC: &[u8; 8] = b"SKEPLOG1";
const FILLING: u8 = 0xFF;
/// What is kept for the next frame: one large batch must not hold its memory for ever.
const BUFFER_BYTES_MAX: usize = 256 << 10;

/// The beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Which file; they count upwards without gaps.
    pub(crate) sequence: u64,
    /// The number of its first batch.
    pub(crate) first_batch: u64,
    /// The key its frames are sealed with.
    pub(crate) key: KeyId,
    /// Random, so that its nonces are its own.
    pub(crate) salt: [u8; 16],
}

/// Where a file does not fit, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where.
    pub(crate) offset: u64,
    /// How.
    pub(crate) what: &'static str,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The batches, in order.
    pub(crate) batches: Vec<Batch>,
    /// Where the last whole frame ends.
    pub(crate) end: u64,
}

impl Header {
    /// Its bytes.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES as usize] {
        let Self { sequence, first_batch, key, salt } = self;
        let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
        bytes.extend(MAGIC);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(first_batch.to_le_bytes());
        bytes.extend(key.0);
        bytes.extend(salt);
        bytes.extend([0; 12]);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().expect("the parts make 64 bytes")
    }

    /// Reads a header.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let damage = |what| Damage { offset: 0, what };
        let mut reader = Reader(bytes);
        let whole =
            reader.take(HEADER_BYTES as usize).ok_or_else(|| damage("the file's header is cut off"))?;
        let (content, crc) = whole.split_at(HEADER_BYTES as usize - 4);
        if crc32fast::hash(content).to_le_bytes() != crc {
            return Err(damage("the file's header was changed"));
        }
        let mut reader = Reader(content);
        let read = || {
            let magic: [u8; 8] = reader.array()?;
            let (sequence, first_batch) = (reader.u64()?, reader.u64()?);
            let header = Self { sequence, first_batch, key: KeyId(reader.array()?), salt: reader.array()? };
            (magic == *MAGIC).then_some(header)
        };
        let mut read = read;
        read().ok_or_else(|| damage("the file is not a log of this version"))
    }
}

/// Makes frames, in a buffer that is used again.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Seals what `fill` writes, as the frame of this batch at this offset.
    pub(crate) fn seal(
        &mut self,
        key: &DataKey,
        header: &Header,
        (offset, number): (u64, u64),
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        const SEALED: usize = FRAME_HEADER_BYTES + TAG_BYTES;
        if self.bytes.capacity() > BUFFER_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.bytes.resize(SEALED, 0);
        fill(&mut self.bytes);
        let tag = key.seal(&nonce(&header.salt, offset), &mut self.bytes[SEALED..]);
        self.bytes[FRAME_HEADER_BYTES..SEALED].copy_from_slice(&tag);
        let sealed = &self.bytes[FRAME_HEADER_BYTES..];
        let (length, crc) = (sealed.len() as u32, crc32fast::hash(sealed));
        let frame = FrameHeader { length, number: number as u32, crc };
        self.bytes[..FRAME_HEADER_BYTES].copy_from_slice(&frame.to_bytes(&header.salt));
        self.bytes.resize(filled(self.bytes.len()), FILLING);
        &self.bytes
    }
}

/// Reads all frames of a file.
///
/// # Errors
/// If anything but the last frame is not as it was written, or the last one was changed and not torn.
pub(crate) fn read(bytes: &[u8], header: &Header, key: &DataKey) -> Result<Contents, Damage> {
    let mut contents = Contents { batches: Vec::new(), end: HEADER_BYTES };
    loop {
        let number = header.first_batch + contents.batches.len() as u64;
        match read_frame(bytes, contents.end as usize, header, key, number)? {
            Some((batch, end)) => {
                contents.batches.push(batch);
                contents.end = end as u64;
            }
            None => return Ok(contents),
        }
    }
}

/// Writes zeros from one place to another.
pub(crate) fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; 256 << 10];
    let mut at = from;
    while at < to {
        let length = (to - at).min(zeros.len() as u64) as usize;
        file.write_all_at(&zeros[..length], at)?;
        at += length as u64;
    }
    Ok(())
}

/// The first 16 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHeader {
    length: u32,
    number: u32,
    crc: u32,
}

impl FrameHeader {
    fn to_bytes(self, salt: &[u8; 16]) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.crc.to_le_bytes());
        let check = Self::check(salt, &bytes[..12]);
        bytes[12..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8], salt: &[u8; 16]) -> Option<Self> {
        let mut reader = Reader(bytes.get(..FRAME_HEADER_BYTES)?);
        let check = Self::check(salt, &bytes[..12]);
        let header = Self { length: reader.u32()?, number: reader.u32()?, crc: reader.u32()? };
        (reader.u32()? == check && header.length as usize >= TAG_BYTES).then_some(header)
    }

    fn check(salt: &[u8; 16], bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(salt);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// Reads the frame at an offset: the batch and where the frame ends; `None` if there is none, or a torn one.
fn read_frame(
    bytes: &[u8],
    offset: usize,
    header: &Header,
    key: &DataKey,
    number: u64,
) -> Result<Option<(Batch, usize)>, Damage> {
    let damage = |what| Damage { offset: offset as u64, what };
    let rest = bytes.get(offset..).unwrap_or_default();
    let Some(frame) = FrameHeader::read(rest, &header.salt) else {
        return if is_torn_header(rest, &header.salt, number) {
            Ok(None)
        } else {
            Err(damage("the beginning of a record was changed"))
        };
    };
    let end = FRAME_HEADER_BYTES + frame.length as usize;
    let body = rest.get(FRAME_HEADER_BYTES..end);
    let Some(body) = body.filter(|body| crc32fast::hash(body) == frame.crc) else {
        return if is_torn_body(rest, offset, end) { Ok(None) } else { Err(damage("a record was changed")) };
    };
    let (tag, sealed) = body.split_at(TAG_BYTES);
    let tag = tag.try_into().expect("a tag has 16 bytes");
    let mut plain = sealed.to_vec();
    key.open(&nonce(&header.salt, offset as u64), tag, &mut plain)
        .map_err(|_| damage("a record was forged, moved, or sealed with another key"))?;
    let batch = batch::read(&plain).ok_or_else(|| damage("a record makes no sense"))?;
    if batch.number != number {
        return Err(damage("a record is missing before this one"));
    }
    Ok(Some((batch, offset + filled(end))))
}

/// Whether there is no frame, or only as much of one as leaves no whole header, and none behind it.
fn is_torn_header(rest: &[u8], salt: &[u8; 16], number: u64) -> bool {
    let (head, behind) = rest.split_at(rest.len().min(FRAME_HEADER_BYTES));
    if behind.iter().all(|byte| *byte == 0) {
        return true;
    }
    // The first sector of the frame may have been lost, but not those of frames that were acknowledged.
    let is_acknowledged = |at: &[u8]| {
        FrameHeader::read(at, salt)
            .is_some_and(|frame| frame.number.wrapping_sub(number as u32) < u32::MAX / 2)
    };
    head.iter().all(|byte| *byte == 0) && !behind.chunks(ALIGNMENT).any(is_acknowledged)
}

/// Whether part of a frame's body never reached the disk, and nothing is behind it. `end` is without filling.
fn is_torn_body(rest: &[u8], offset: usize, end: usize) -> bool {
    let Some(behind) = rest.get(filled(end)..) else { return true };
    if behind.iter().any(|byte| *byte != 0) {
        return false;
    }
    let first_sector = offset.next_multiple_of(SECTOR_BYTES) - offset;
    let sectors = rest.get(first_sector..filled(end)).unwrap_or_default().chunks(SECTOR_BYTES);
    let filling_is_missing = rest[end..filled(end)].iter().all(|byte| *byte == 0);
    filling_is_missing || sectors.into_iter().any(|sector| sector.iter().all(|byte| *byte == 0))
}

/// Where a frame's filling ends: there is always at least one byte of it.
fn filled(end: usize) -> usize {
    (end + 1).next_multiple_of(ALIGNMENT)
}
