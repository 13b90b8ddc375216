//! Blobs by their digest: configurations and packed layers, as they came.
//!
//! A blob is written under a name of its own, and gets its real name once its digest is known to be right. So
//! what is called by a digest has that digest, and a write that failed leaves nothing behind.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use host::files::{self, Access};

use crate::image::digest::{Digest, Hashed};

/// The folder of blobs.
#[derive(Debug)]
pub(crate) struct Content {
    blobs: PathBuf,
    drafts: PathBuf,
}

impl Content {
    /// Opens the store below this folder. What earlier, broken writes left is removed.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let content = Self { blobs: root.join("blobs/sha256"), drafts: root.join("drafts") };
        files::remove_if_there(&content.drafts)?;
        files::make_folder(&content.blobs, Access::Private)?;
        files::make_folder(&content.drafts, Access::Private)?;
        Ok(content)
    }

    /// Where the blob is, if it is there.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    pub(crate) fn open_blob(&self, digest: &Digest) -> io::Result<File> {
        File::open(self.path(digest))
    }

    /// A small blob whole; refused if it has more bytes than `max`.
    pub(crate) fn read(&self, digest: &Digest, max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("blob {digest} has more than {max} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// A small blob at once.
    pub(crate) fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let mut draft = self.draft()?;
        draft.write_all(bytes)?;
        Ok(draft.keep()?.0)
    }

    /// A blob in the making.
    pub(crate) fn draft(&self) -> io::Result<BlobDraft> {
        let path = self.free_name();
        let file = BufWriter::with_capacity(64 << 10, File::create_new(&path)?);
        Ok(BlobDraft { file: Some(Hashed::new(file)), path, blobs: self.blobs.clone() })
    }

    /// A name that nothing has yet, for what is in the making.
    pub(crate) fn free_name(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.drafts.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string())
    }

    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<()> {
        files::remove_if_there(&self.path(digest))
    }

    /// Every blob that is there.
    pub(crate) fn all(&self) -> io::Result<Vec<Digest>> {
        let mut all = Vec::new();
        for found in fs::read_dir(&self.blobs)? {
            all.extend(found?.file_name().to_str().and_then(Digest::from_hex));
        }
        Ok(all)
    }
}

/// A blob in the making; gone unless kept.
pub(crate) struct BlobDraft {
    file: Option<Hashed<BufWriter<File>>>,
    path: PathBuf,
    blobs: PathBuf,
}

impl BlobDraft {
    /// Gives the blob its name.
    pub(crate) fn keep(mut self) -> io::Result<(Digest, u64)> {
        let (digest, bytes) = self.finish()?;
        fs::rename(&self.path, self.blobs.join(digest.hex()))?;
        Ok((digest, bytes))
    }

    /// Gives the blob its name, if it is the expected one; else the digest it really has is told.
    pub(crate) fn keep_as(mut self, expected: Digest) -> io::Result<Result<u64, Digest>> {
        let (digest, bytes) = self.finish()?;
        if digest != expected {
            return Ok(Err(digest));
        }
        fs::rename(&self.path, self.blobs.join(digest.hex()))?;
        Ok(Ok(bytes))
    }

    fn finish(&mut self) -> io::Result<(Digest, u64)> {
        let (mut file, digest, bytes) = self.file.take().expect("a draft is finished once").finish();
        file.flush()?;
        Ok((digest, bytes))
    }
}

impl Write for BlobDraft {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.as_mut().expect("a draft is written before it is finished").write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("a draft is written before it is finished").flush()
    }
}

impl Drop for BlobDraft {
    fn drop(&mut self) {
        // After `keep` there is nothing here; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_there_when_its_digest_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::open(folder.path()).unwrap();
        let mut draft = content.draft().unwrap();
        draft.write_all(b"hello").unwrap();
        assert_eq!(draft.keep_as(Digest::of(b"hello")).unwrap(), Ok(5));
        assert_eq!(content.read(&Digest::of(b"hello"), 5).unwrap(), b"hello");
        assert!(content.read(&Digest::of(b"hello"), 4).is_err());
    }

    #[test]
    fn a_wrong_or_broken_blob_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::open(folder.path()).unwrap();
        let mut draft = content.draft().unwrap();
        draft.write_all(b"hello").unwrap();
        assert_eq!(draft.keep_as(Digest::of(b"other")).unwrap(), Err(Digest::of(b"hello")));
        drop(content.draft().unwrap());
        assert_eq!(content.all().unwrap(), []);
        assert_eq!(fs::read_dir(folder.path().join("drafts")).unwrap().count(), 0);
    }
}
