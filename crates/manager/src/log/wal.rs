//! The files of the log in order: opening them, writing behind them, removing those no longer needed.
//!
//! In: batches. Out: when [`Wal::append`] returns, the batch is on disk; one `fdatasync` for each. Files are named
//! `log-<sequence>` and described in `segment`. Snapshots are in files of their own (`snapshot`).

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use host::files::{self, Access, Durability};
use raft::{Entry, HardState, Index, Position};

use super::LogError;
use super::batch::{self, Batch};
use super::seal::{DataKey, Keys};
use super::segment::{self, Frame, HEADER_BYTES, Header};

/// How much is written ahead at once.
const AHEAD_BYTES: u64 = 1 << 20;
/// Large enough to be begun rarely, small enough to be read at once.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// All files of the log.
#[derive(Debug)]
pub(crate) struct Wal {
    folder: PathBuf,
    keys: Keys,
    /// Files that are only read any more, oldest first.
    closed: Vec<Closed>,
    /// The file that is written to; none until the first write after opening.
    open: Option<Segment>,
    next_sequence: u64,
    next_batch: u64,
    frame: Frame,
    /// Beyond this size a new file is begun.
    pub(crate) file_bytes_max: u64,
}

#[derive(Debug)]
struct Closed {
    path: PathBuf,
    /// The highest entry in it; 0 without entries.
    last: Index,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    /// Up to where the file is written, with frames or zeros.
    ahead: u64,
    last: Index,
}

/// Where a file stands among those that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Behind,
}

impl Wal {
    /// Opens the files in a folder; the batches they hold.
    pub(crate) fn open(folder: &Path, keys: &Keys) -> Result<(Self, Vec<Batch>), LogError> {
        let mut wal = Self {
            folder: folder.to_owned(),
            keys: keys.clone(),
            closed: Vec::new(),
            open: None,
            next_sequence: 1,
            next_batch: 1,
            frame: Frame::default(),
            file_bytes_max: FILE_BYTES_MAX,
        };
        let paths = wal.paths()?;
        let mut batches = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let place = if number == 0 { Place::First } else { Place::Behind };
            batches.extend(wal.read_file(path, place)?);
        }
        Ok((wal, batches))
    }

    /// Writes a batch and waits until it is on disk. After an error nothing has changed, and it may be tried again
    /// unless the error says otherwise.
    pub(crate) fn append(
        &mut self,
        hard_state: HardState,
        restart: Option<Position>,
        entries: &[Entry],
    ) -> Result<(), LogError> {
        let number = self.next_batch;
        let mut segment = match self.open.take() {
            Some(segment) if segment.end < self.file_bytes_max => segment,
            Some(full) => {
                self.close(full)?;
                self.begin()?
            }
            None => self.begin()?,
        };
        let frame = self.frame.seal(&self.keys.current, &segment.header, (segment.end, number), |bytes| {
            batch::write(bytes, number, hard_state, restart, entries);
        });
        let written = segment.write(frame);
        segment.last = entries.iter().map(|entry| entry.index).fold(segment.last, Index::max);
        self.open = Some(segment);
        written?;
        self.next_batch += 1;
        Ok(())
    }

    /// Seals with another key from now on, and anew what is there. Each file is whole all the time, under its old key
    /// or the new one; after an error the call may be repeated.
    pub(crate) fn rotate(&mut self, keys: Keys) -> Result<(), LogError> {
        if let Some(segment) = self.open.take() {
            self.close(segment)?;
        }
        self.keys = keys;
        self.closed.iter().try_for_each(|closed| self.reseal(&closed.path))
    }

    /// Removes files all of whose entries are at `index` or before it, the oldest first.
    pub(crate) fn compact(&mut self, index: Index) -> Result<(), LogError> {
        // The promises are in every batch: there must be one in the files that stay.
        let has_batch = self.open.as_ref().is_some_and(|segment| segment.end > HEADER_BYTES);
        let keep = if has_batch { 0 } else { 1 };
        while self.closed.len() > keep && self.closed[0].last <= index {
            let path = &self.closed[0].path;
            files::remove_if_there(path).map_err(|error| LogError::io("removing", path, error))?;
            self.closed.remove(0);
        }
        Ok(())
    }

    /// Puts a file with the same batches, sealed with the present key, in the place of this one.
    fn reseal(&self, path: &Path) -> Result<(), LogError> {
        let damaged = |damage: segment::Damage| LogError::damaged(path, damage);
        let failed = |error| LogError::io("sealing anew", path, error);
        let bytes = fs::read(path).map_err(|error| LogError::io("reading", path, error))?;
        let old = Header::read(&bytes).map_err(damaged)?;
        if old.key == self.keys.current.id() {
            return Ok(());
        }
        let contents = segment::read(&bytes, &old, self.key_of(path, &old)?).map_err(damaged)?;
        let salt = host::chance::bytes().map_err(failed)?;
        let header = Header { key: self.keys.current.id(), salt, ..old };
        let (mut sealed, mut frame) = (header.to_bytes().to_vec(), Frame::default());
        for Batch { number, hard_state, restart, entries } in contents.batches {
            let offset = sealed.len() as u64;
            sealed.extend(frame.seal(&self.keys.current, &header, (offset, number), |bytes| {
                batch::write(bytes, number, hard_state, restart, &entries);
            }));
        }
        files::replace(path, &sealed, Access::Private, Durability::Synced).map_err(failed)
    }

    fn key_of(&self, path: &Path, header: &Header) -> Result<&DataKey, LogError> {
        self.keys.find(header.key).ok_or_else(|| LogError::UnknownKey { path: path.to_owned() })
    }

    fn paths(&self) -> Result<Vec<PathBuf>, LogError> {
        let broken = |error| LogError::io("listing", &self.folder, error);
        let mut paths = Vec::new();
        for item in fs::read_dir(&self.folder).map_err(broken)? {
            let path = item.map_err(broken)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("log-") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn read_file(&mut self, path: &Path, place: Place) -> Result<Vec<Batch>, LogError> {
        let damaged = |damage: segment::Damage| LogError::damaged(path, damage);
        let bytes = fs::read(path).map_err(|error| LogError::io("reading", path, error))?;
        let header = Header::read(&bytes).map_err(damaged)?;
        if place == Place::First {
            self.next_sequence = header.sequence;
            self.next_batch = header.first_batch;
        }
        if header.sequence != self.next_sequence || header.first_batch != self.next_batch {
            let what = "the file before this one is missing or cut off";
            return Err(damaged(segment::Damage { offset: 0, what }));
        }
        let contents = segment::read(&bytes, &header, self.key_of(path, &header)?).map_err(damaged)?;
        if contents.end < bytes.len() as u64 {
            cut(path, contents.end)?;
        }
        self.next_sequence += 1;
        self.next_batch += contents.batches.len() as u64;
        let entries = contents.batches.iter().flat_map(|batch| &batch.entries);
        let last = entries.map(|entry| entry.index).max().unwrap_or(0);
        self.closed.push(Closed { path: path.to_owned(), last });
        Ok(contents.batches)
    }

    /// Gives back what was written ahead.
    fn close(&mut self, segment: Segment) -> Result<(), LogError> {
        let Segment { file: _, path, header: _, end, ahead: _, last } = segment;
        self.closed.push(Closed { path: path.clone(), last });
        cut(&path, end)
    }

    /// Begins a new file. It gets its name only once its header is on disk.
    fn begin(&mut self) -> Result<Segment, LogError> {
        let path = self.folder.join(format!("log-{:016x}", self.next_sequence));
        let temporary = self.folder.join(".log.new");
        let failed = |error| LogError::io("writing", &path, error);
        let salt = host::chance::bytes().map_err(failed)?;
        let header = Header {
            sequence: self.next_sequence,
            first_batch: self.next_batch,
            key: self.keys.current.id(),
            salt,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&temporary).map_err(failed)?;
        file.write_all_at(&header.to_bytes(), 0).map_err(failed)?;
        segment::write_zeros(&file, HEADER_BYTES, AHEAD_BYTES).map_err(failed)?;
        file.sync_all().map_err(|error| LogError::unsynced(&path, error))?;
        fs::rename(&temporary, &path).map_err(failed)?;
        files::sync_folder_of(&path).map_err(|error| LogError::unsynced(&path, error))?;
        self.next_sequence += 1;
        Ok(Segment { file, path, header, end: HEADER_BYTES, ahead: AHEAD_BYTES, last: 0 })
    }
}

impl Segment {
    /// Puts a frame at the end and waits until it is on disk.
    fn write(&mut self, frame: &[u8]) -> Result<(), LogError> {
        let failed = |error| LogError::io("writing", &self.path, error);
        let end = self.end + frame.len() as u64;
        if end > self.ahead {
            let ahead = end + AHEAD_BYTES;
            segment::write_zeros(&self.file, self.ahead, ahead).map_err(failed)?;
            self.ahead = ahead;
        }
        self.file.write_all_at(frame, self.end).map_err(failed)?;
        self.file.sync_data().map_err(|error| LogError::unsynced(&self.path, error))?;
        self.end = end;
        Ok(())
    }
}

fn cut(path: &Path, end: u64) -> Result<(), LogError> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()
    };
    cut().map_err(|error| LogError::io("cutting", path, error))
}
