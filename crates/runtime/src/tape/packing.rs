//! How layers and archives are packed: not at all, by gzip, or by zstd, told by their first bytes.
//!
//! What comes out is watched: a few kilobytes that would fill a disk are refused by their ratio, everything by its
//! length. In: a stream. Out: a stream. Neither is held in memory.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use crate::tape::malformed;

/// What an archive may become. Bounds are there for hostile ones; no honest image comes near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes one archive may unpack to.
    pub(crate) bytes: u64,
    /// Times larger it may become, once it has become `ratio_from` bytes.
    pub(crate) ratio: u64,
    /// Bytes below which the ratio is not asked for: small files of zeros are honest.
    pub(crate) ratio_from: u64,
    /// Entries it may have.
    pub(crate) entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 256 << 30, ratio: 250, ratio_from: 128 << 20, entries: 2_000_000 }
    }
}

/// Unpacks a stream of whatever packing.
pub(crate) fn unpacked<'a>(source: impl Read + 'a, bounds: Bounds) -> io::Result<Watched<'a>> {
    let taken = Rc::new(Cell::new(0));
    let mut source = Metered { source, taken: Rc::clone(&taken) };
    let mut magic = Vec::with_capacity(MAGIC);
    source.by_ref().take(MAGIC as u64).read_to_end(&mut magic)?;
    let packing = packing(&magic)?;
    let whole = BufReader::with_capacity(64 << 10, Cursor::new(magic).chain(source));
    let inner: Box<dyn Read + 'a> = match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(Watched { inner, taken, given: 0, bounds })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

fn packing(magic: &[u8]) -> io::Result<Packing> {
    match magic {
        [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Packing::Zstd),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Packing::Zstd), // begins with a frame to be skipped
        [b'B', b'Z', b'h', ..] => Err(malformed("it is packed by bzip2, which is not supported")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(malformed("it is packed by xz, which is not supported")),
        _ => Ok(Packing::Plain),
    }
}

/// A stream that stops when it becomes absurdly long.
pub(crate) struct Watched<'a> {
    inner: Box<dyn Read + 'a>,
    taken: Rc<Cell<u64>>,
    given: u64,
    bounds: Bounds,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed("its packed bytes end too early"),
            io::ErrorKind::InvalidInput => malformed("its packed bytes are damaged"),
            _ => error,
        })?;
        self.given += read as u64;
        let Bounds { bytes, ratio, ratio_from, entries: _ } = self.bounds;
        if self.given > bytes {
            return Err(malformed(&format!("it unpacks to more than {bytes} bytes")));
        }
        if self.given > ratio_from && self.given > self.taken.get().saturating_mul(ratio) {
            return Err(malformed(&format!("it unpacks to more than {ratio} times its size")));
        }
        Ok(read)
    }
}

struct Metered<R> {
    source: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

const MAGIC: usize = 6;

/// 128 MiB of memory at most for a zstd stream: what its own tools allow unasked.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], bounds: Bounds) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        unpacked(bytes, bounds)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_packing_is_seen_by_its_first_bytes() {
        let zstd = zstd::encode_all(b"hello".as_slice(), 1).unwrap();
        let two = [gzip(b"hel"), gzip(b"lo")].concat();
        for packed in [b"hello".to_vec(), gzip(b"hello"), two, zstd] {
            assert_eq!(read(&packed, Bounds::default()).unwrap(), b"hello");
        }
        assert_eq!(read(b"", Bounds::default()).unwrap(), b"");
        assert!(read(b"BZh91AY", Bounds::default()).unwrap_err().to_string().contains("bzip2"));
        assert!(read(b"\xfd7zXZ\0", Bounds::default()).unwrap_err().to_string().contains("xz"));
    }

    #[test]
    fn bombs_are_refused_by_length_and_ratio() {
        let bounds = Bounds { bytes: 1 << 20, ratio: 100, ratio_from: 1 << 16, entries: 1 };
        let zeros = vec![0; 1 << 19];
        for packed in [gzip(&zeros), zstd::encode_all(zeros.as_slice(), 1).unwrap()] {
            assert!(read(&packed, bounds).unwrap_err().to_string().contains("100 times"));
        }
        assert!(read(&vec![1; 2 << 20], bounds).unwrap_err().to_string().contains("1048576 bytes"));
        assert_eq!(read(&gzip(&zeros[..1000]), bounds).unwrap().len(), 1000);
    }

    #[test]
    fn a_cut_stream_is_told() {
        let packed = gzip(&[7; 1000]);
        for cut in [8, packed.len() - 9, packed.len() - 1] {
            assert!(read(&packed[..cut], Bounds::default()).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(kind in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let magic: &[u8] = [&[][..], &[0x1f, 0x8b, 8], &[0x28, 0xb5, 0x2f, 0xfd]][kind];
            let _ = read(&[magic, &bytes].concat(), Bounds::default());
        }
    }
}
