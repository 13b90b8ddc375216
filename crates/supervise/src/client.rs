//! Who talks with this supervisor: the daemon, and those who are attached.
//!
//! Both ways go frames: a kind, three zeros, the length as four bytes (the greater first), the bytes. Output has
//! the kinds 1 and 2, so that what an attached client gets is what Docker's clients read.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::sys;

/// One connection.
pub(crate) struct Client {
    socket: UnixStream,
    /// Whether it gets the output.
    pub(crate) attached: bool,
    /// Whether it has sent bytes for standard input.
    pub(crate) gives_input: bool,
    received: Vec<u8>,
    waiting: Vec<u8>,
    stuck_since_ms: i64,
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Bytes for standard input.
    Input(Vec<u8>),
    /// Standard input ends.
    EndInput,
    /// The terminal has another size.
    Resize { rows: u16, columns: u16 },
    /// A signal for the process.
    Signal(i32),
    /// Output, from now on.
    Attach,
    /// The word to start.
    Go,
}

/// What a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It goes on.
    Open,
    /// It has ended, or nonsense came.
    Over,
}

impl Client {
    /// A client on this socket.
    pub(crate) fn new(socket: UnixStream) -> Self {
        sys::never_wait(socket.as_raw_fd());
        Self {
            socket,
            attached: false,
            gives_input: false,
            received: Vec::new(),
            waiting: Vec::new(),
            stuck_since_ms: 0,
        }
    }

    /// What to poll for.
    pub(crate) fn poll(&self, may_hear: Hearing) -> libc::pollfd {
        let hear = if may_hear == Hearing::Open { libc::POLLIN } else { 0 };
        let speak = if self.waiting.is_empty() { 0 } else { libc::POLLOUT };
        libc::pollfd { fd: self.socket.as_raw_fd(), events: hear | speak, revents: 0 }
    }

    /// Whether something could not be sent yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When it will have been stuck for too long.
    pub(crate) fn patience_ends_ms(&self) -> Option<i64> {
        self.is_behind().then_some(self.stuck_since_ms + PATIENCE_MS)
    }

    /// Sends a frame, or as much of it as goes; the rest waits.
    pub(crate) fn send(&mut self, kind: u8, bytes: &[u8]) -> Connection {
        let length = u32::try_from(bytes.len()).expect("frames are short").to_be_bytes();
        let header = [kind, 0, 0, 0, length[0], length[1], length[2], length[3]];
        if !self.is_behind() {
            self.stuck_since_ms = sys::ticks_ms();
        }
        self.waiting.extend_from_slice(&header);
        self.waiting.extend_from_slice(bytes);
        self.push()
    }

    /// Sends what waits, or as much of it as goes.
    pub(crate) fn push(&mut self) -> Connection {
        while !self.waiting.is_empty() {
            match self.socket.write(&self.waiting) {
                Ok(sent) => {
                    self.waiting.drain(..sent);
                    self.stuck_since_ms = sys::ticks_ms();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Connection::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Connection::Over,
            }
        }
        self.waiting.shrink_to(KEPT);
        Connection::Open
    }

    /// Reads what has come. Whole requests are to be taken by [`Client::next`].
    pub(crate) fn hear(&mut self) -> Connection {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => Connection::Over,
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                Connection::Open
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Connection::Open
            }
            Err(_) => Connection::Over,
        }
    }

    /// The next whole request; `Err` if what came is none.
    pub(crate) fn next(&mut self) -> Result<Option<Request>, ()> {
        let Some(header) = self.received.first_chunk::<8>() else {
            self.received.shrink_to(KEPT);
            return Ok(None);
        };
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if length > FRAME_MAX {
            return Err(());
        }
        let Some(bytes) = self.received.get(8..8 + length) else { return Ok(None) };
        let request = Request::parse(header[0], bytes).ok_or(())?;
        self.received.drain(..8 + length);
        Ok(Some(request))
    }
}

/// Whether a client is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// It is.
    Open,
    /// Not now: what it said before was not taken yet.
    Later,
}

impl Request {
    fn parse(kind: u8, bytes: &[u8]) -> Option<Self> {
        match (kind, bytes) {
            (0, bytes) => Some(Self::Input(bytes.to_vec())),
            (16, []) => Some(Self::EndInput),
            (17, [a, b, c, d]) => Some(Self::Resize {
                rows: u16::from_be_bytes([*a, *b]),
                columns: u16::from_be_bytes([*c, *d]),
            }),
            (18, [signal]) if (1..=64).contains(signal) => Some(Self::Signal(i32::from(*signal))),
            (19, []) => Some(Self::Attach),
            (20, []) => Some(Self::Go),
            _ => None,
        }
    }
}

/// A client that takes nothing for so long is let go: the container must not wait for it.
const PATIENCE_MS: i64 = 1000;
/// The most a client may say at once.
const FRAME_MAX: usize = 64 * 1024;
/// So much room is kept.
const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_whole_and_nonsense_is_refused() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut client = Client::new(theirs);
        ours.write_all(&[17, 0, 0, 0, 0, 0, 0, 4, 0, 24]).unwrap();
        assert_eq!(client.hear(), Connection::Open);
        assert_eq!(client.next(), Ok(None));
        ours.write_all(&[0, 80, 18, 0, 0, 0, 0, 0, 0, 1, 9, 99, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        client.hear();
        assert_eq!(client.next(), Ok(Some(Request::Resize { rows: 24, columns: 80 })));
        assert_eq!(client.next(), Ok(Some(Request::Signal(9))));
        assert_eq!(client.next(), Err(()));
        drop(ours);
        assert_eq!(client.hear(), Connection::Over);
    }

    #[test]
    fn a_client_that_takes_nothing_is_behind_but_does_not_stop_us() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut client = Client::new(theirs);
        while !client.is_behind() {
            assert_eq!(client.send(1, &[0; 4096]), Connection::Open);
        }
        assert!(client.patience_ends_ms().is_some());
        drop(ours);
        assert_eq!(client.push(), Connection::Over);
    }
}
