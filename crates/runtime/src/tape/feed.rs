//! Brings a stream of the network to work that blocks, and the work's output back, with a bounded amount in between.

use std::io::{self, Read, Write};
use std::pin::{Pin, pin};

use bytes::{Buf, Bytes};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinError;

/// A stream's two ends: chunks go in, a reader that blocks comes out.
pub(crate) fn feed() -> (Feeder, Feed) {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    (Feeder(sender), Feed { receiver, chunk: Bytes::new(), ended: false })
}

/// Where chunks go in. Dropped before its end was told, the reader sees an error.
pub(crate) struct Feeder(mpsc::Sender<io::Result<Bytes>>);

/// Where they come out.
pub(crate) struct Feed {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
    ended: bool,
}

/// The reader has gone: it has what it wants, or failed.
#[derive(Debug)]
pub(crate) struct NobodyReads;

impl Feeder {
    pub(crate) async fn send(&self, chunk: Bytes) -> Result<(), NobodyReads> {
        // An empty chunk would mean the end.
        if chunk.is_empty() { Ok(()) } else { self.0.send(Ok(chunk)).await.map_err(|_| NobodyReads) }
    }

    /// Tells the end: everything was sent, or an error stopped it.
    pub(crate) async fn end(self, outcome: io::Result<()>) {
        // If nobody reads any more, nobody waits for the end either.
        let _ = self.0.send(outcome.map(|()| Bytes::new())).await;
    }

    /// Sends a whole stream.
    pub(crate) async fn pour(self, stream: impl Stream<Item = io::Result<Bytes>>) {
        let mut stream = pin!(stream);
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    if self.send(chunk).await.is_err() {
                        return drain(stream).await;
                    }
                }
                Err(error) => return self.end(Err(error)).await,
            }
        }
        self.end(Ok(())).await;
    }
}

/// Takes in some more of a stream that nobody reads: clients say all they have before they hear why it is refused.
async fn drain(mut stream: Pin<&mut impl Stream<Item = io::Result<Bytes>>>) {
    let mut drained = 0;
    while drained < DRAINED_MAX
        && let Some(Ok(chunk)) = stream.next().await
    {
        drained += chunk.len();
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Ok(chunk)) => {
                    self.ended = chunk.is_empty();
                    self.chunk = chunk;
                }
                Some(Err(error)) => return Err(error),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionAborted,
                        "the transfer was given up",
                    ));
                }
            }
        }
        let taken = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

/// Lets work that blocks consume a whole stream.
///
/// # Errors
/// If the work panicked.
pub(crate) async fn consumed<T: Send + 'static>(
    stream: impl Stream<Item = io::Result<Bytes>>,
    work: impl FnOnce(Feed) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let (feeder, feed) = feed();
    let work = tokio::task::spawn_blocking(move || work(feed));
    let (done, ()) = tokio::join!(work, feeder.pour(stream));
    done
}

/// What work that blocks writes, as a stream. Whoever stops reading stops the work; what goes wrong in it is the
/// stream's last item.
pub(crate) fn written<W>(work: W) -> impl Stream<Item = io::Result<Bytes>> + Send + use<W>
where
    W: FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
{
    let (mut chunks, receiver) = Chunks::new();
    let work = tokio::task::spawn_blocking(move || {
        if let Err(error) = work(&mut chunks).and_then(|()| chunks.flush()) {
            chunks.fail(error);
        }
    });
    // The task's handle lives as long as its stream; it ends by itself when nobody reads.
    unfold((receiver, work), |(mut receiver, work)| async {
        Some((receiver.recv().await?, (receiver, work)))
    })
}

/// Sends what is written as chunks; for work that blocks.
pub(crate) struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl Chunks {
    /// Another end to write to the same stream.
    pub(crate) fn again(&self) -> Self {
        Self { sender: self.sender.clone(), chunk: Vec::new() }
    }

    fn new() -> (Self, mpsc::Receiver<io::Result<Bytes>>) {
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        (Self { sender, chunk: Vec::with_capacity(CHUNK_BYTES) }, receiver)
    }

    /// Tells the reader why there is no more.
    fn fail(self, error: io::Error) {
        // A reader who has gone does not wait for reasons.
        let _ = self.sender.blocking_send(Err(error));
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        let sent = self.sender.blocking_send(Ok(Bytes::from(chunk)));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader has gone"))
    }
}

/// Chunks on their way: enough to keep both sides busy, little enough to be forgotten.
const CHUNKS_MAX: usize = 16;

/// Bytes of a stream that are taken in although nobody reads them.
const DRAINED_MAX: usize = 16 << 20;

const CHUNK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn read(chunks: Vec<io::Result<Bytes>>) -> io::Result<String> {
        let (feeder, feed) = feed();
        let reading = tokio::task::spawn_blocking(|| io::read_to_string(feed));
        feeder.pour(stream::iter(chunks)).await;
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn what_is_poured_is_read() {
        let chunks = ["he", "", "llo"].map(|text| Ok(Bytes::from(text)));
        assert_eq!(read(chunks.into()).await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn a_broken_stream_is_no_end() {
        let broken = io::Error::new(io::ErrorKind::ConnectionReset, "cable cut");
        assert_eq!(
            read(vec![Ok(Bytes::from("he")), Err(broken)]).await.unwrap_err().to_string(),
            "cable cut"
        );
        let (feeder, feed) = feed();
        drop(feeder);
        let read = tokio::task::spawn_blocking(|| io::read_to_string(feed)).await.unwrap();
        assert!(read.unwrap_err().to_string().contains("given up"));
    }
}
