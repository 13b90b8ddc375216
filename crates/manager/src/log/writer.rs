//! The thread that owns the log, so that no other ever waits for the disk.
//!
//! In: writes, in order. Out: a call to `done` after each. A full disk makes it say so, wait and try again; anything
//! else ends it, for what a broken disk has kept cannot be known.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use model::Duration;
use raft::{Index, Persist, Snapshot};
use tokio::sync::watch;

use super::seal::Keys;
use super::{Log, LogError};

/// A write.
#[derive(Debug)]
pub(crate) enum Write {
    /// What a replica wishes to persist.
    Persist(Persist),
    /// A snapshot of the book, in place of what is older.
    Compact {
        /// The snapshot.
        snapshot: Snapshot,
        /// How many older ones stay.
        keep_old: u64,
    },
    /// Everything sealed with another key.
    Rotate(Keys),
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The `Persist` of this number is on disk.
    Persisted(u64),
    /// A snapshot up to here is on disk.
    Compacted(Index),
    /// Only the current key is needed any more.
    Rotated,
    /// Nothing can be written any more.
    Broken(LogError),
}

/// Whether the disk has room for what is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// As far as is known.
    #[default]
    Enough,
    /// A write waits until there is.
    None,
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(crate) struct Writer {
    writes: mpsc::Sender<Write>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. `done` is called on it after each write, and `room` says whether the disk has any.
    pub(crate) fn start(
        mut log: Log,
        room: watch::Sender<Room>,
        done: impl Fn(Written) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (writes, received) = mpsc::channel();
        let run = move || {
            for write in received {
                let written = log.carry_out(&write, &room);
                let is_broken = matches!(written, Written::Broken(_));
                done(written);
                if is_broken {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(run)?;
        Ok(Self { writes, thread })
    }

    /// Hands a write to the thread.
    pub(crate) fn write(&self, write: Write) {
        // If the thread has ended, it has said why before.
        let _ = self.writes.send(write);
    }

    /// Ends the thread once it has written everything; blocks until then.
    pub(crate) fn finish(self) {
        let Self { writes, thread } = self;
        drop(writes);
        if thread.join().is_err() {
            tracing::error!("the log's thread has panicked");
        }
    }
}

impl Log {
    fn carry_out(&mut self, write: &Write, room: &watch::Sender<Room>) -> Written {
        loop {
            let result = match write {
                Write::Persist(persist) => self.persist(persist).map(|()| Written::Persisted(persist.number)),
                Write::Compact { snapshot, keep_old } => {
                    self.compact(snapshot, *keep_old).map(|()| Written::Compacted(snapshot.index))
                }
                Write::Rotate(keys) => self.rotate(keys.clone()).map(|()| Written::Rotated),
            };
            match result {
                Ok(written) => {
                    room.send_if_modified(|room| std::mem::take(room) == Room::None);
                    return written;
                }
                Err(error @ LogError::Full { .. }) => {
                    if room.send_replace(Room::None) == Room::Enough {
                        tracing::error!(%error);
                    }
                    thread::sleep(FULL_PAUSE); // Nothing tells when there is room again.
                }
                Err(error) => return Written::Broken(error),
            }
        }
    }
}

/// How long to wait for room on a full disk before trying again.
const FULL_PAUSE: Duration = Duration::from_millis(500);
