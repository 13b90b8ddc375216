//! The thread that owns the log, so that no other ever waits for the disk.
//!
//! In: writes, in order. Out: a call to `done` after each. A full disk makes it wait and try again; anything
//! else ends it, for what a broken disk has kept cannot be known.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use model::Duration;
use raft::{Index, Persist, Snapshot};

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
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The `Persist` of this number is on disk.
    Persisted(u64),
    /// A snapshot up to here is on disk.
    Compacted(Index),
    /// Nothing can be written any more.
    Broken(LogError),
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(crate) struct Writer {
    writes: mpsc::Sender<Write>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. `done` is called on it, and ends it by saying so.
    pub(crate) fn start(mut log: Log, done: impl Fn(Written) + Send + 'static) -> std::io::Result<Self> {
        let (writes, received) = mpsc::channel();
        let run = move || {
            for write in received {
                let written = log.carry_out(&write);
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
    fn carry_out(&mut self, write: &Write) -> Written {
        let mut warned = false;
        loop {
            let result = match write {
                Write::Persist(persist) => self.persist(persist).map(|()| Written::Persisted(persist.number)),
                Write::Compact { snapshot, keep_old } => {
                    self.compact(snapshot, *keep_old).map(|()| Written::Compacted(snapshot.index))
                }
            };
            match result {
                Ok(written) => return written,
                Err(error @ LogError::Full { .. }) => {
                    if !std::mem::replace(&mut warned, true) {
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
