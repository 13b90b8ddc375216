//! A conversation with a process: what it writes, and what is written to it.

use bytes::Bytes;
use tokio::sync::watch;

use crate::container::description::Size;
use crate::container::exec::{ExecPhase, ExecRecord};
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
pub struct Output {
    ear: Ear,
    /// The record of the process, if its code must be in it before the output ends.
    record: Option<watch::Receiver<ExecRecord>>,
}

/// What is written to a process.
#[derive(Debug)]
pub struct Input(Mouth);

impl Attachment {
    pub(crate) fn new(line: Line) -> Self {
        let (ear, mouth) = line.split();
        Self { output: Output { ear, record: None }, input: Input(mouth) }
    }

    /// One whose output ends only when the code is known: clients ask for it at once.
    pub(crate) fn with_record(self, record: watch::Receiver<ExecRecord>) -> Self {
        let Self { output: Output { ear, record: _ }, input } = self;
        Self { output: Output { ear, record: Some(record) }, input }
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
            match self.ear.next().await? {
                Some(Word::Output(stream, bytes)) => return Ok(Some((stream, bytes))),
                Some(Word::Held | Word::Started { .. }) => {}
                Some(Word::Failed | Word::Exited(_)) | None => break,
            }
        }
        if let Some(record) = &mut self.record {
            // If the record is gone, nobody can ask for the code.
            let _ = record.wait_for(|record| matches!(record.phase, ExecPhase::Exited { .. })).await;
        }
        Ok(None)
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
