//! Starts, finds again and talks to the supervisor of each container (program `supervise`).
//!
//! In: the plan for a supervisor, requests to it. Out: its words. The frames are those of `supervise`'s
//! `client.rs`: a kind, three zeros, the length as four bytes (the greater first), the bytes.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;

use bytes::{Buf, Bytes, BytesMut};
use model::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;

use crate::container::description::Size;

/// A connection with a supervisor.
#[derive(Debug)]
pub(crate) struct Line {
    ear: Ear,
    mouth: Mouth,
}

/// The half of a connection that hears.
#[derive(Debug)]
pub(crate) struct Ear {
    stream: OwnedReadHalf,
    received: BytesMut,
}

/// The half of a connection that speaks.
#[derive(Debug)]
pub(crate) struct Mouth(OwnedWriteHalf);

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Its process wrote something.
    Output(Stream, Bytes),
    /// It waits for the word to start.
    Held,
    /// Its process runs.
    Started {
        /// Its number.
        pid: u32,
    },
    /// Its process could not be started.
    Failed,
    /// Its process has ended.
    Exited(Ended),
}

/// The two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Its output, or all that its terminal shows.
    Output,
    /// Its errors.
    Errors,
}

/// How a process ended, in its supervisor's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its code, or 128 and the signal that ended it.
    pub(crate) code: i32,
    /// Whether the kernel killed a process because the memory was full.
    pub(crate) oom: bool,
    /// When.
    pub(crate) at: Timestamp,
}

/// What a supervisor can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Bytes for standard input.
    Input(Bytes),
    /// Standard input ends.
    EndInput,
    /// The terminal has another size.
    Resize(Size),
    /// A signal for the process.
    Signal(u8),
    /// Output, from now on.
    Attach,
    /// The word to start.
    Go,
}

/// Starts a supervisor in its folder, with these words as its plan.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn launch(program: &Path, folder: &Path, plan: &[String]) -> io::Result<Line> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    // Dropped, the child is waited for by tokio as soon as it ends: nothing else is wanted of it.
    Command::new(program)
        .args(plan)
        .current_dir(folder)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Line::new(UnixStream::from_std(ours)?))
}

/// Connects with the supervisor that works in a folder.
///
/// # Errors
/// If there is none.
pub(crate) async fn connect(folder: &Path) -> io::Result<Line> {
    // Through the folder's descriptor, since a socket's path may have 107 letters only.
    let handle = std::fs::File::open(folder)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd());
    UnixStream::connect(path).await.map(Line::new)
}

/// How the process of a supervisor ended that is gone, if it could say so.
pub(crate) fn last_words(exit_file: &Path) -> Option<Ended> {
    Ended::parse(&std::fs::read_to_string(exit_file).ok()?)
}

impl Line {
    fn new(stream: UnixStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self { ear: Ear { stream: reading, received: BytesMut::new() }, mouth: Mouth(writing) }
    }

    /// As [`Ear::next`].
    pub(crate) async fn next(&mut self) -> io::Result<Option<Word>> {
        self.ear.next().await
    }

    /// As [`Mouth::say`].
    pub(crate) async fn say(&mut self, request: &Request) -> io::Result<()> {
        self.mouth.say(request).await
    }

    /// Its two halves.
    pub(crate) fn split(self) -> (Ear, Mouth) {
        (self.ear, self.mouth)
    }
}

impl Ear {
    /// The next word; `None` when the supervisor is gone. Nothing is lost if this is given up half way.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Word>> {
        loop {
            if let Some(word) = take_word(&mut self.received)? {
                return Ok(Some(word));
            }
            self.received.reserve(READ_SIZE);
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Mouth {
    /// Says something.
    pub(crate) async fn say(&mut self, request: &Request) -> io::Result<()> {
        match request {
            Request::Input(bytes) => {
                for part in bytes.chunks(INPUT_MAX) {
                    self.frame(0, part).await?;
                }
                Ok(())
            }
            Request::EndInput => self.frame(16, &[]).await,
            Request::Resize(Size { rows, columns }) => {
                let [a, b] = rows.to_be_bytes();
                let [c, d] = columns.to_be_bytes();
                self.frame(17, &[a, b, c, d]).await
            }
            Request::Signal(signal) => self.frame(18, &[*signal]).await,
            Request::Attach => self.frame(19, &[]).await,
            Request::Go => self.frame(20, &[]).await,
        }
    }

    async fn frame(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(8 + bytes.len());
        frame.extend([kind, 0, 0, 0]);
        frame.extend(u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes());
        frame.extend(bytes);
        self.0.write_all(&frame).await
    }
}

impl Ended {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let code = words.next()?.parse().ok()?;
        let _signal: i32 = words.next()?.parse().ok()?;
        let oom = words.next()? == "1";
        Some(Self { code, oom, at: Timestamp::from_nanos(words.next()?.parse().ok()?) })
    }
}

fn take_word(received: &mut BytesMut) -> io::Result<Option<Word>> {
    let Some(header) = received.first_chunk::<8>() else { return Ok(None) };
    let kind = header[0];
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
    if length > FRAME_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if received.len() < 8 + length {
        return Ok(None);
    }
    received.advance(8);
    let bytes = received.split_to(length).freeze();
    parse_word(kind, bytes).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_word(kind: u8, bytes: Bytes) -> Option<Word> {
    match kind {
        1 => Some(Word::Output(Stream::Output, bytes)),
        2 => Some(Word::Output(Stream::Errors, bytes)),
        16 => Some(Word::Started { pid: u32::from_be_bytes(*bytes.first_chunk()?) }),
        17 => Some(Word::Failed),
        18 => Ended::parse(std::str::from_utf8(&bytes).ok()?).map(Word::Exited),
        19 => Some(Word::Held),
        _ => None,
    }
}

const SOCKET: &str = "socket";
const READ_SIZE: usize = 4096;
const INPUT_MAX: usize = 16 * 1024;
const FRAME_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_taken_whole() {
        let mut received = BytesMut::from(&[18, 0, 0, 0, 0, 0, 0, 9][..]);
        assert_eq!(take_word(&mut received).unwrap(), None);
        received.extend_from_slice(b"137 9 1 5\x01");
        let ended = Ended { code: 137, oom: true, at: Timestamp::from_nanos(5) };
        assert_eq!(take_word(&mut received).unwrap(), Some(Word::Exited(ended)));
        assert_eq!(take_word(&mut received).unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_topple_it(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut received = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take_word(&mut received) {}
        }
    }
}
