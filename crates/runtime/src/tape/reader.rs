//! Reads an archive (tar) entry by entry, from a stream that may be hostile.
//!
//! The crate `tar` knows the fields of a header; the walk from header to header is here, because an extended header
//! of any length must not be held in memory, its binary values must stay whole, and a size given in it must be
//! obeyed. In: a stream. Out: entries, and the bytes of each. Nothing is written here.

use std::io::{self, Read};

use tar::{EntryType, Header};

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid archive: {0}")]
pub(crate) struct MalformedTape(pub(crate) String);

/// One entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TapeEntry {
    pub(crate) kind: TapeKind,
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970, and nanoseconds beyond.
    pub(crate) modified: (i64, i64),
    /// Extended attributes of the file.
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TapeKind {
    /// A file of so many bytes.
    File(u64),
    Folder,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// Another name of this entry.
    Link(Vec<u8>),
    /// Devices, by their two numbers.
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// An archive that is being read.
pub(crate) struct Tape<R> {
    source: R,
    /// Bytes of the present entry that were not read yet.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
}

/// What extended headers said about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified: Option<(i64, i64)>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> Tape<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, left: 0, padding: 0 }
    }

    /// The next entry; nothing at the archive's end.
    pub(crate) fn next(&mut self) -> io::Result<Option<TapeEntry>> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = header.entry_size().map_err(|_| malformed("an entry's size is no number"))?;
            match header.entry_type() {
                EntryType::XGlobalHeader => self.begin(size),
                EntryType::XHeader => extended.take_records(&self.extension(size)?)?,
                EntryType::GNULongName => extended.path = Some(until_zero(self.extension(size)?)),
                EntryType::GNULongLink => extended.link = Some(until_zero(self.extension(size)?)),
                _ => {
                    let size = extended.size.take().unwrap_or(size);
                    return self.entry(&header, size, extended).map(Some);
                }
            }
        }
    }

    /// Ends reading: the stream, which may have more bytes than the archive needs.
    pub(crate) fn into_inner(self) -> R {
        self.source
    }

    fn entry(&mut self, header: &Header, size: u64, extended: Extended) -> io::Result<TapeEntry> {
        let Extended { path, link, size: _, uid, gid, modified, attributes } = extended;
        let link =
            || link.or_else(|| header.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default();
        let old = header.as_old();
        let number = |field: &[u8], value: io::Result<u64>, what| match value {
            Ok(value) => u32::try_from(value).map_err(|_| malformed(what)),
            Err(_) if is_blank(field) => Ok(0),
            Err(_) => Err(malformed(what)),
        };
        let device = || -> io::Result<(u32, u32)> {
            let (major, minor) = (header.device_major(), header.device_minor());
            let both = major.ok().flatten().zip(minor.ok().flatten());
            both.ok_or_else(|| malformed("a device has no numbers"))
        };
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => TapeKind::Folder,
            EntryType::Regular | EntryType::Continuous => TapeKind::File(size),
            EntryType::Directory => TapeKind::Folder,
            EntryType::Symlink => TapeKind::Symlink(link()),
            EntryType::Link => TapeKind::Link(link()),
            EntryType::Char => device().map(|(major, minor)| TapeKind::CharDevice(major, minor))?,
            EntryType::Block => device().map(|(major, minor)| TapeKind::BlockDevice(major, minor))?,
            EntryType::Fifo => TapeKind::Fifo,
            other => {
                return Err(malformed(&format!(
                    "entries of type {:?} are not supported",
                    char::from(other.as_byte())
                )));
            }
        };
        // Links and devices carry no bytes, whatever their header says.
        let carries =
            matches!(header.entry_type(), EntryType::Regular | EntryType::Continuous | EntryType::Directory);
        self.begin(if carries { size } else { 0 });
        Ok(TapeEntry {
            kind,
            path,
            mode: number(&old.mode, header.mode().map(u64::from), "an entry's mode is no number")? & 0o7777,
            uid: uid.map_or_else(|| number(&old.uid, header.uid(), "an entry's owner is no number"), Ok)?,
            gid: gid.map_or_else(|| number(&old.gid, header.gid(), "an entry's group is no number"), Ok)?,
            modified: modified
                .unwrap_or_else(|| (header.mtime().map_or(0, |seconds| seconds.cast_signed()), 0)),
            attributes,
        })
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    /// Passes over what is left of the present entry.
    fn skip(&mut self) -> io::Result<()> {
        let rest = self.left.checked_add(self.padding).ok_or_else(|| malformed("an entry is too large"))?;
        let skipped = io::copy(&mut self.source.by_ref().take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped == rest { Ok(()) } else { Err(truncated()) }
    }

    /// The bytes of an extended header.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_BYTES_MAX {
            return Err(malformed("an extended header is longer than 1 MiB"));
        }
        self.begin(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The next header; nothing if the archive ends here.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let mut filled = 0;
        let block = header.as_mut_bytes();
        while filled < block.len() {
            match self.source.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None), // ends without zeros, as some tools write it
                0 => return Err(truncated()),
                read => filled += read,
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(malformed("a header's checksum is wrong"));
        }
        Ok(Some(header))
    }
}

/// The bytes of the present entry.
impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.source.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(truncated());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Extended {
    /// Takes in records of the form `length key=value\n`; the length counts all of it.
    fn take_records(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let wrong = || malformed("an extended header is garbled");
        while !bytes.is_empty() {
            let space = bytes.iter().take(20).position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length: usize = parse(&bytes[..space]).ok_or_else(wrong)?;
            let record = bytes
                .get(space + 1..length)
                .and_then(|record| record.strip_suffix(b"\n"))
                .ok_or_else(wrong)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            self.take_record(&record[..equals], &record[equals + 1..]).ok_or_else(wrong)?;
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn take_record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(parse(value)?),
            b"uid" => self.uid = Some(parse(value)?),
            b"gid" => self.gid = Some(parse(value)?),
            b"mtime" => self.modified = Some(time(value)?),
            key => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.attributes.push((name.to_vec(), value.to_vec()));
                }
                // A file with holes in a form of GNU's own would be unpacked wrongly, so it is refused.
                if key.starts_with(b"GNU.sparse.") {
                    return None;
                }
            }
        }
        Some(())
    }
}

/// Some tools leave out what they do not know.
fn is_blank(field: &[u8]) -> bool {
    field.iter().all(|byte| matches!(byte, 0 | b' '))
}

/// `seconds[.fraction]`, perhaps before 1970.
fn time(value: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(value).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = seconds.parse().ok()?;
    let mut digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits
        .try_fold(0, |sum: i64, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))?;
    match (seconds.starts_with('-'), nanos) {
        (true, 1..) => Some((whole.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((whole, nanos)),
    }
}

fn parse<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn until_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

pub(crate) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, MalformedTape(what.to_owned()))
}

fn truncated() -> io::Error {
    malformed("it ends in the middle of an entry")
}

const BLOCK: u64 = 512;

/// Bytes of one extended header: attributes have 64 KiB at most, so real ones stay far below.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("{}/file", "folder".repeat(30));
        builder
            .append_pax_extensions([("mtime", b"12.5".as_slice()), ("SCHILY.xattr.user.a", b"\nb\n=")])
            .unwrap();
        let mut header = Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o100_644);
        header.set_uid(7);
        header.set_cksum();
        builder.append_data(&mut header, &long, b"hello".as_slice()).unwrap();
        builder.into_inner().unwrap()
    }

    fn walk(bytes: &[u8]) -> io::Result<Vec<TapeEntry>> {
        let mut tape = Tape::new(bytes);
        let mut entries = Vec::new();
        while let Some(entry) = tape.next()? {
            io::copy(&mut tape, &mut io::sink())?;
            entries.push(entry);
        }
        Ok(entries)
    }

    #[test]
    fn long_names_times_and_binary_attributes_are_read() {
        let bytes = sample();
        let mut tape = Tape::new(bytes.as_slice());
        let entry = tape.next().unwrap().unwrap();
        assert_eq!(entry.path.len(), 185);
        assert_eq!((entry.mode, entry.uid, entry.modified), (0o644, 7, (12, 500_000_000)));
        assert_eq!(entry.attributes, [(b"user.a".to_vec(), b"\nb\n=".to_vec())]);
        assert_eq!(io::read_to_string(&mut tape).unwrap(), "hello");
        assert_eq!(tape.next().unwrap(), None);
    }

    #[test]
    fn a_cut_archive_is_told_from_a_whole_one() {
        let bytes = sample();
        for cut in [100, 600, 1500, bytes.len() - 1024 - 300] {
            let error = walk(&bytes[..cut]).unwrap_err().to_string();
            assert!(error.contains("ends in the middle"), "{cut}: {error}");
        }
    }

    #[test]
    fn times_before_1970_have_positive_nanoseconds() {
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!((time(b"3"), time(b"x"), time(b"1.x")), (Some((3, 0)), None, None));
    }

    #[test]
    fn an_endless_name_is_refused_unread() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        let error = walk(header.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("longer than 1 MiB"), "{error}");
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = walk(&bytes);
        }

        #[test]
        fn damage_topples_nothing(at in 0usize..2048, byte in any::<u8>(), sum in any::<bool>()) {
            let mut bytes = sample();
            bytes[at] = byte;
            if sum {
                for block in bytes.chunks_exact_mut(512) {
                    let mut header = Header::from_byte_slice(block).clone();
                    header.set_cksum();
                    block.copy_from_slice(header.as_bytes());
                }
            }
            let _ = walk(&bytes);
        }

        #[test]
        fn garbled_records_topple_nothing(bytes in "([0-9]{1,3} [a-z]{0,6}=?[a-z0-9.-]{0,6}\n?){0,3}") {
            let _ = Extended::default().take_records(bytes.as_bytes());
        }
    }
}
