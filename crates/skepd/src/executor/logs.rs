//! What tasks write, for whoever reads it over the swarm.

use std::collections::BTreeMap;

use agent::{LogLine, LogStream, LogWish};
use control::worker::Failure;
use runtime::Stream;
use runtime::container::{ContainerId, Containers};
use runtime::logs::{self, Follow, LogQuery};
use tokio::sync::mpsc;

use super::containers;

/// Sends the lines of a container, as they are wished, until there are no more or nobody takes them.
pub(super) async fn send(
    all: &Containers,
    id: ContainerId,
    wish: &LogWish,
    lines: mpsc::Sender<LogLine>,
) -> Result<(), Failure> {
    let mut read = all.logs(id, query(wish)).map_err(|error| containers::failed(&error))?;
    while let Some(line) = read.recv().await {
        if lines.send(told(line)).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn query(wish: &LogWish) -> LogQuery {
    let LogWish { streams, follow, tail, since } = wish;
    let wants = |stream| streams.is_empty() || streams.contains(&stream);
    LogQuery {
        follow: if *follow { Follow::UntilExit } else { Follow::No },
        tail: tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        since: *since,
        until: None,
        output: wants(LogStream::Stdout),
        errors: wants(LogStream::Stderr),
    }
}

fn told(line: logs::LogLine) -> LogLine {
    let logs::LogLine { at, stream, text } = line;
    let stream = match stream {
        Stream::Output => LogStream::Stdout,
        Stream::Errors => LogStream::Stderr,
    };
    LogLine { at, stream, data: text, attrs: BTreeMap::new() }
}
