//! A conversation with a process: what it writes, and what is written to it.

use bytes::Bytes;

use crate::container::description::Size;
use crate::supervisor::{Ear, Line, Mouth, Request, Stream, Word};

/// A conversation with a process.
#[derive(Debug)]
pub struct Attachment {
    /// What it writes.
    pub output: Output,
    /// What is written to it.
    pub input: Input,
}

/// What a process writes.
#[derive(Debug)]
pub struct Output(Ear);

/// What is written to a process.
#[derive(Debug)]
pub struct Input(Mouth);

impl Attachment {
    pub(crate) fn new(line: Line) -> Self {
        let (ear, mouth) = line.split();
        Self { output: Output(ear), input: Input(mouth) }
    }
}

impl Output {
    /// The next piece of output; `None` when nothing will come any more. Who does not take what is written for
    /// more than a second is let go, since the process must not wait. May be given up half way.
    ///
    /// # Errors
    /// If the connection broke.
    pub async fn next(&mut self) -> std::io::Result<Option<(Stream, Bytes)>> {
        loop {
            match self.0.next().await? {
                Some(Word::Output(stream, bytes)) => return Ok(Some((stream, bytes))),
                Some(Word::Held | Word::Started { .. }) => {}
                Some(Word::Failed | Word::Exited(_)) | None => return Ok(None),
            }
        }
    }
}

impl Input {
    /// Writes to its standard input.
    ///
    /// # Errors
    /// If the process is gone.
    pub async fn write(&mut self, bytes: Bytes) -> std::io::Result<()> {
        self.0.say(&Request::Input(bytes)).await
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// If the process is gone.
    pub async fn end(&mut self) -> std::io::Result<()> {
        self.0.say(&Request::EndInput).await
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// If the process is gone.
    pub async fn resize(&mut self, size: Size) -> std::io::Result<()> {
        self.0.say(&Request::Resize(size)).await
    }
}
