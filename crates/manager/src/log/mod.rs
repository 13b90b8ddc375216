//! What a manager must still know after a crash: the log of the group and its snapshots, sealed, on disk.
//!
//! In: what the replica wishes to persist. Out: when a call returns, it is on disk; on opening, everything that was
//! ever acknowledged. All calls block: the pump makes them on a thread of their own. The files are described in
//! `segment` (the log), `batch` (its records) and `snapshot`. It does not know what an entry says.

mod batch;
pub mod seal;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;
mod wal;
pub(crate) mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use host::files::{self, Access};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use raft::{Entry, Index, Persist, Position, Snapshot, Stored};

use batch::Batch;
use seal::Keys;
use segment::Damage;
use wal::Wal;

/// Why the log cannot be read or written. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no room. Nothing was lost, and the same write may be tried again.
    #[error("the disk is full: {path} cannot be written; free some space, then it goes on by itself")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another manager uses the folder.
    #[error("{path} is used by another process; stop it first")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{doing} {path}; check the disk and the permissions, then start again")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The disk did not confirm a write. Whether it is there is unknown, so it must not be tried again.
    #[error("the disk did not confirm what was written to {path}; check it, then start again")]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// Something on the disk is not as it was written.
    #[error(
        "{path} is damaged at byte {offset}: {what}; restore the folder from a backup, or remove it and join the \
         swarm anew with this machine"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// How.
        what: &'static str,
    },
    /// It was sealed with a key that is not here.
    #[error("{path} is sealed with another key; start with the node key that belongs to this folder")]
    UnknownKey {
        /// The file.
        path: PathBuf,
    },
    /// Entries are missing between the snapshot and the log.
    #[error(
        "{path} lacks the entries from {from} on; restore the folder from a backup, or remove it and join the swarm \
         anew with this machine"
    )]
    Gap {
        /// The folder.
        path: PathBuf,
        /// The first one missing.
        from: Index,
    },
}

/// The log of one manager, on disk.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    keys: Keys,
    wal: Wal,
    /// Holds the folder for as long as the log is open.
    _lock: Flock<File>,
}

impl Log {
    /// Opens the log in a folder, which is made if it is not there, and reads what was stored. What was being written
    /// when the machine fell is dropped.
    ///
    /// # Errors
    /// If anything that was acknowledged is not there as it was written.
    pub fn open(folder: &Path, keys: Keys) -> Result<(Self, Stored), LogError> {
        files::make_folder(folder, Access::Private).map_err(|error| LogError::io("making", folder, error))?;
        let lock = lock(folder)?;
        let (wal, batches) = Wal::open(folder, &keys)?;
        let snapshot = snapshot::latest(folder, &keys)?;
        let stored = replay(folder, batches, snapshot)?;
        Ok((Self { folder: folder.to_owned(), keys, wal, _lock: lock }, stored))
    }

    /// Stores what a replica wishes to persist. When it returns, that is on disk.
    ///
    /// # Errors
    /// If the disk is full ([`LogError::Full`]: the call may be repeated) or broken (it must not).
    pub fn persist(&mut self, persist: &Persist) -> Result<(), LogError> {
        let Persist { number: _, hard_state, snapshot, entries } = persist;
        if let Some(snapshot) = snapshot {
            snapshot::write(&self.folder, &self.keys, snapshot)?;
        }
        let restart =
            snapshot.as_ref().map(|Snapshot { index, term, .. }| Position { index: *index, term: *term });
        self.wal.append(*hard_state, restart, entries)
    }

    /// Stores a snapshot of the book, and removes what is no longer needed: entries up to it, and all older
    /// snapshots but `keep_old`.
    ///
    /// # Errors
    /// As [`Log::persist`]; until the snapshot is on disk, nothing is removed.
    pub fn compact(&mut self, snapshot: &Snapshot, keep_old: u64) -> Result<(), LogError> {
        snapshot::write(&self.folder, &self.keys, snapshot)?;
        self.wal.compact(snapshot.index)?;
        snapshot::remove_old(&self.folder, keep_old)
    }

    /// Seals with another key from now on, and anew what is there. When it returns, only the current key is needed;
    /// until then the earlier one too. It may be repeated, also after a restart in its middle.
    ///
    /// # Errors
    /// As [`Log::persist`].
    pub fn rotate(&mut self, keys: Keys) -> Result<(), LogError> {
        self.keys = keys.clone();
        self.wal.rotate(keys)?;
        snapshot::reseal(&self.folder, &self.keys)
    }
}

impl LogError {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { doing, path, source },
        }
    }

    fn unsynced(path: &Path, source: io::Error) -> Self {
        Self::Unsynced { path: path.to_owned(), source }
    }

    fn damaged(path: &Path, Damage { offset, what }: Damage) -> Self {
        Self::Damaged { path: path.to_owned(), offset, what }
    }
}

/// Takes the folder for this process alone. The kernel gives it back, however the process ends.
fn lock(folder: &Path) -> Result<Flock<File>, LogError> {
    let path = folder.join("lock");
    let failed = |error| LogError::io("locking", &path, error);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => LogError::InUse { path: folder.to_owned() },
        other => failed(other.into()),
    })
}

/// Puts together what the batches say, one after the other.
fn replay(folder: &Path, batches: Vec<Batch>, snapshot: Option<Snapshot>) -> Result<Stored, LogError> {
    let gap = |from| LogError::Gap { path: folder.to_owned(), from };
    let mut stored = Stored::default();
    let mut restarted = Position::default();
    for Batch { number: _, hard_state, restart, entries } in batches {
        stored.hard_state = hard_state;
        if let Some(position) = restart {
            stored.entries.clear();
            restarted = position;
        }
        if let Some(first) = entries.first().map(|entry| entry.index) {
            let kept = stored.entries.partition_point(|entry| entry.index < first);
            stored.entries.truncate(kept);
            stored.entries.extend(entries);
        }
    }
    let base = snapshot.as_ref().map_or(Position::default(), |s| Position { index: s.index, term: s.term });
    if base.index < restarted.index {
        return Err(gap(base.index + 1));
    }
    if contradicts(&stored.entries, base) {
        stored.entries.clear(); // The snapshot was stored, but the machine fell before the log began anew.
    }
    stored.entries.retain(|entry| entry.index > base.index);
    let missing = stored.entries.iter().zip(base.index + 1..).find(|(entry, index)| entry.index != *index);
    if let Some((_, index)) = missing {
        return Err(gap(index));
    }
    if stored.hard_state.term < base.term {
        stored.hard_state.term = base.term;
        stored.hard_state.vote = 0;
    }
    stored.hard_state.commit = stored.hard_state.commit.max(base.index);
    stored.snapshot = snapshot;
    Ok(stored)
}

/// Whether the entries belong to a history that the snapshot has replaced.
fn contradicts(entries: &[Entry], snapshot: Position) -> bool {
    entries.iter().any(|entry| entry.index == snapshot.index && entry.term != snapshot.term)
}
