//! A person speaks with a process: keys go in, output comes out, the terminal's size follows.

use std::io::{self, Write};

use anyhow::Result;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Client;
use crate::options::keys::{DetachKeys, Watch};
use crate::output::streams::{Framing, Streams};
use crate::session::Session;
use crate::signals::Signals;
use crate::terminal::{self, RawTerminal};

/// How one speaks.
pub(crate) struct Manner {
    /// Whether keys go in.
    pub(crate) input: bool,
    /// Whether there is a terminal.
    pub(crate) terminal: bool,
    /// Where the terminal's size and signals are told: `/exec/ID`.
    pub(crate) place: String,
    /// What leaves it alone, if there is a terminal.
    pub(crate) keys: DetachKeys,
    /// Whether signals are handed on, if there is no terminal: that sends them itself.
    pub(crate) hands_signals_on: bool,
}

/// Who ended the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The process closed its side.
    Closed,
    /// The person left it alone.
    Left,
}

/// The person left a process alone that somebody else had begun: nobody here knows how it will end.
#[derive(Debug, thiserror::Error)]
#[error("read escape sequence")]
pub(crate) struct Left;

/// Speaks until the process closes its side or the person leaves.
pub(crate) async fn converse(session: &mut Session, connection: Upgraded, manner: Manner) -> Result<Parting> {
    let _raw = if manner.terminal && manner.input { Some(RawTerminal::take()?) } else { None };
    let (mut from, mut to) = tokio::io::split(TokioIo::new(connection));
    let mut streams = Streams::new(Framing::from(manner.terminal));
    let mut keys = tokio::io::stdin();
    let mut is_open = manner.input;
    let mut watch = Watch::new(manner.keys.clone());
    let mut resized = signal(SignalKind::window_change())?;
    let mut signals = Signals::caught(manner.hands_signals_on && !manner.terminal)?;
    let (mut typed, mut printed) = (vec![0; 4096], vec![0; 32 << 10]);
    // What the process did not take yet must not keep us from showing what it says.
    let mut given = Vec::new();
    tell_size(&session.client, &manner).await;
    loop {
        tokio::select! {
            read = from.read(&mut printed) => {
                let length = read?;
                if length == 0 {
                    return Ok(Parting::Closed);
                }
                streams.write(&printed[..length], &mut session.out, &mut io::stderr())?;
                session.out.flush()?;
            }
            taken = to.write(&given), if !given.is_empty() => drop(given.drain(..taken?)),
            read = keys.read(&mut typed), if is_open && given.is_empty() => match (read?, manner.terminal) {
                (0, _) => { is_open = false; to.shutdown().await?; }
                (length, false) => given.extend_from_slice(&typed[..length]),
                (length, true) => {
                    let (passed, leaves) = watch.typed(&typed[..length]);
                    if leaves {
                        to.write_all(&passed).await?;
                        return Ok(Parting::Left);
                    }
                    given = passed;
                }
            },
            _ = resized.recv() => tell_size(&session.client, &manner).await,
            // A process that has just ended needs no signal, so that a no is no failure.
            name = signals.next() => drop(session.client.order(&format!("{}/kill?signal={name}", manner.place)).await),
        }
    }
}

/// A process that has just ended needs no size, so that a no is no failure.
async fn tell_size(client: &Client, manner: &Manner) {
    if let (true, Some([rows, columns])) = (manner.terminal, terminal::size()) {
        let _ = client.order(&format!("{}/resize?h={rows}&w={columns}", manner.place)).await;
    }
}
