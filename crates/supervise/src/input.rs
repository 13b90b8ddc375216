//! What the process reads: bytes that came for it, kept until it takes them.
//!
//! They may come before the process is there, and their end before it has taken them all. Nothing of it is lost
//! unless nobody will ever read.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, RawFd};

use crate::sys;

/// The process's standard input.
pub(crate) struct Input {
    file: Option<File>,
    waiting: Vec<u8>,
    flow: Flow,
}

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    /// What waits is the last.
    Ending,
    /// Nobody reads any more, or nobody ever will.
    Over,
}

impl Input {
    /// One for a process that is not there yet, and may never read.
    pub(crate) fn new(reads: bool) -> Self {
        Self { file: None, waiting: Vec::new(), flow: if reads { Flow::Open } else { Flow::Over } }
    }

    /// From now on the process takes it from this file.
    pub(crate) fn open(&mut self, file: File) {
        sys::never_wait(file.as_raw_fd());
        self.file = Some(file);
        self.push();
    }

    /// Hands bytes on; what is not taken waits.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.flow == Flow::Open {
            self.waiting.extend_from_slice(bytes);
            self.push();
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        if self.flow == Flow::Open {
            self.flow = Flow::Ending;
            self.push();
        }
    }

    /// Whether something was not taken yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Where to look whether what waits can go on.
    pub(crate) fn outlet(&self) -> Option<RawFd> {
        self.file.as_ref().filter(|_| self.is_behind()).map(AsRawFd::as_raw_fd)
    }

    /// Hands on what waits, or as much of it as is taken.
    pub(crate) fn push(&mut self) {
        let Some(file) = &mut self.file else { return };
        while !self.waiting.is_empty() {
            match file.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.close(),
            }
        }
        self.waiting.shrink_to(KEPT);
        if self.flow == Flow::Ending {
            self.close();
        }
    }

    fn close(&mut self) {
        *self = Self::new(false);
    }
}

/// So much room is kept.
const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_comes_before_the_process_is_read_by_it() {
        let mut input = Input::new(true);
        input.take(b"hello");
        input.end();
        assert!(input.is_behind() && input.outlet().is_none());
        let (mut read, write) = sys::pipe().unwrap();
        input.open(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn the_end_waits_for_what_was_not_taken_yet() {
        let (mut read, write) = sys::pipe().unwrap();
        let mut input = Input::new(true);
        input.open(write);
        let (all, mut got) = (vec![b'x'; 200_000], vec![0; 150_000]);
        input.take(&all);
        input.end();
        assert!(input.outlet().is_some(), "a pipe holds less");
        // As the process reads, it goes on.
        let mut read_so_far = 0;
        while input.is_behind() {
            read_so_far += read.read(&mut got).unwrap();
            input.push();
        }
        let mut rest = Vec::new();
        read.read_to_end(&mut rest).unwrap();
        assert_eq!(read_so_far + rest.len(), all.len());
    }

    #[test]
    fn nothing_waits_for_who_never_reads() {
        let mut input = Input::new(false);
        input.take(b"hello");
        assert!(!input.is_behind());
        let (read, write) = sys::pipe().unwrap();
        let mut input = Input::new(true);
        input.open(write);
        drop(read);
        input.take(b"hello");
        assert!(!input.is_behind(), "it was closed on the other side");
    }
}
