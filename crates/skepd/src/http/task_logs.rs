//! What tasks write, gathered from all nodes, as clients read it.
//!
//! In: whose lines are wanted, and which; lines, as nodes bring them. Out: one stream, ordered by time as far as
//! patience and memory go, with a last word on what could not be read.

use std::collections::BTreeMap;
use std::convert::Infallible;

use api::ApiVersion;
use axum::body::{Body, Bytes};
use futures_util::stream;
use manager::services::{LogReading, LogSelector};
use model::{Duration, Timestamp};
use runtime::logs::Follow;
use tokio::time::{Instant, sleep_until};
use wire::proto::{LogMessage, LogStream, LogSubscriptionOptions};
use wire::{OnWire, proto};

use crate::http::error::Answer;
use crate::http::logs::Wish;
use crate::http::request::{Query, query_escaped};
use crate::http::stream::{Framing, Source, with_type};
use crate::standing::Manager;

/// How long a follower's line is held back, so that an older one of another node can go before it.
const HOLD_MAX: Duration = Duration::from_millis(50);
/// Lines that are held back. If there are more, the oldest goes.
const HELD_MAX: usize = 16_384;

/// The lines of the selected tasks as one stream.
///
/// # Errors
/// If the client asks for nothing, or nobody can be asked.
pub(crate) async fn answer(
    manager: &Manager,
    selector: LogSelector,
    query: &Query,
    (framing, version): (Framing, ApiVersion),
) -> Answer {
    let wish = Wish::of(query)?;
    let reading = manager.logs.read(selector, subscription(&wish)).await;
    let lines =
        Lines { wish, framing, reading: reading?, held: Held::default(), last_words: None, is_over: false };
    let pieces = stream::unfold(lines, |mut lines| async move {
        let piece = lines.next().await?;
        Some((Ok::<_, Infallible>(piece), lines))
    });
    Ok(with_type(framing.media_type(version), Body::from_stream(pieces)))
}

/// What nodes are told of a wish.
fn subscription(wish: &Wish) -> LogSubscriptionOptions {
    let query = &wish.query;
    let streams = [(query.output, LogStream::Stdout), (query.errors, LogStream::Stderr)];
    LogSubscriptionOptions {
        streams: streams.into_iter().filter(|(wished, _)| *wished).map(|(_, stream)| stream.into()).collect(),
        follow: query.follow == Follow::UntilExit,
        // On the wire, -1 means none, -2 the last one and so on; 0 means all.
        tail: query.tail.map_or(0, |lines| i64::try_from(lines).map_or(i64::MIN, |lines| -1 - lines)),
        since: query.since.to_wire(),
    }
}

/// Lines on their way to a client.
struct Lines {
    wish: Wish,
    framing: Framing,
    reading: LogReading,
    held: Held,
    /// Why not everything could be read.
    last_words: Option<String>,
    is_over: bool,
}

impl Lines {
    /// The next piece of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some((at, line)) = self.held.take(self.is_over) {
                return Some(self.written(at, &line));
            }
            if self.is_over {
                let words = self.last_words.take()?;
                return Some(self.framing.frame(Source::Daemon, words.into()));
            }
            let patience = self.held.since.filter(|_| self.wish.query.follow == Follow::UntilExit);
            let patience = patience.map(|since| since + HOLD_MAX);
            tokio::select! {
                lines = self.reading.next() => self.hear(lines),
                () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => self.held.release(),
            }
        }
    }

    fn hear(&mut self, lines: Option<Result<Vec<LogMessage>, String>>) {
        match lines {
            Some(Ok(lines)) => lines.into_iter().for_each(|line| self.hold(line)),
            Some(Err(words)) => self.last_words = Some(format!("Error grabbing logs: {words}\n")),
            None => self.is_over = true,
        }
    }

    fn hold(&mut self, line: LogMessage) {
        let at = OnWire::from_wire(line.timestamp).ok().flatten().unwrap_or(Timestamp::EPOCH);
        if self.wish.query.until.is_none_or(|until| at <= until) {
            self.held.put(at, line);
        }
    }

    fn written(&self, at: Timestamp, line: &LogMessage) -> Bytes {
        let source = match line.stream() {
            LogStream::Stderr => Source::Errors,
            LogStream::Stdout | LogStream::Unknown => Source::Output,
        };
        self.framing.frame(source, self.wish.line(at, &details(line), &line.data))
    }
}

/// What `details` puts before a line: whose it is, and what the container says of itself, by key.
fn details(line: &LogMessage) -> String {
    let context = line.context.clone().unwrap_or_default();
    let attributes = line.attrs.iter().map(|proto::LogAttr { key, value }| (key.as_str(), value.as_str()));
    let mut all: BTreeMap<&str, &str> = attributes.collect();
    all.insert("com.docker.swarm.node.id", &context.node_id);
    all.insert("com.docker.swarm.service.id", &context.service_id);
    all.insert("com.docker.swarm.task.id", &context.task_id);
    let pairs =
        all.into_iter().map(|(key, value)| format!("{}={}", query_escaped(key), query_escaped(value)));
    pairs.collect::<Vec<_>>().join(",")
}

/// Lines that are held back until no older one can be expected. Those of the same time stay as they came.
#[derive(Debug, Default)]
struct Held {
    lines: BTreeMap<(Timestamp, u64), LogMessage>,
    count: u64,
    /// Since when the first of them waits.
    since: Option<Instant>,
    /// How many shall go without waiting any longer.
    released: usize,
}

impl Held {
    fn put(&mut self, at: Timestamp, line: LogMessage) {
        self.since.get_or_insert_with(Instant::now);
        self.lines.insert((at, self.count), line);
        self.count += 1;
    }

    /// Lets all go that are here now.
    fn release(&mut self) {
        self.since = None;
        self.released = self.lines.len();
    }

    /// The oldest line, if it may go: when there are too many, when it has waited long enough, or when all came.
    fn take(&mut self, are_all_here: bool) -> Option<(Timestamp, LogMessage)> {
        if !are_all_here && self.released == 0 && self.lines.len() <= HELD_MAX {
            return None;
        }
        let ((at, _), line) = self.lines.pop_first()?;
        self.released = self.released.saturating_sub(1);
        Some((at, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogMessage {
        LogMessage { data: text.as_bytes().to_vec(), ..LogMessage::default() }
    }

    #[test]
    fn lines_go_by_their_time_and_then_as_they_came() {
        let mut held = Held::default();
        for (at, text) in [(5, "late"), (3, "first"), (3, "second")] {
            held.put(Timestamp::from_parts(at, 0), line(text));
        }
        assert!(held.take(false).is_none());
        let mut texts = Vec::new();
        while let Some((_, line)) = held.take(true) {
            texts.push(String::from_utf8(line.data).unwrap());
        }
        assert_eq!(texts, ["first", "second", "late"]);
    }

    #[test]
    fn a_follower_waits_only_so_long_and_memory_has_a_bound() {
        let mut held = Held::default();
        held.put(Timestamp::from_parts(1, 0), line("old"));
        held.release();
        held.put(Timestamp::from_parts(2, 0), line("new"));
        assert_eq!(held.take(false).map(|(_, line)| line.data), Some(b"old".to_vec()));
        assert!(held.take(false).is_none() && held.since.is_some());
        for at in 0..HELD_MAX {
            held.put(Timestamp::from_nanos(i64::try_from(at).unwrap()), line("many"));
        }
        assert_eq!(held.take(false).map(|(_, line)| line.data), Some(b"many".to_vec()));
        assert!(held.take(false).is_none());
    }

    #[test]
    fn nodes_are_told_what_a_client_wishes() {
        let told = |query: &str| subscription(&Wish::of(&Query::parse(query)).unwrap());
        assert_eq!(told("stdout=1&tail=5").tail, -6);
        assert_eq!(told("stdout=1&tail=all").tail, 0);
        let both = told("stdout=1&stderr=1&follow=1&since=3");
        assert_eq!((both.streams.len(), both.follow), (2, true));
        assert_eq!(both.since.map(|since| since.seconds), Some(3));
    }

    #[test]
    fn details_are_sorted_and_escaped() {
        let context = proto::LogContext {
            service_id: "s".to_owned(),
            node_id: "n".to_owned(),
            task_id: "t".to_owned(),
        };
        let attrs = vec![proto::LogAttr { key: "a b".to_owned(), value: "c=d".to_owned() }];
        let line = LogMessage { context: Some(context), attrs, ..LogMessage::default() };
        let expected =
            "a+b=c%3Dd,com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t";
        assert_eq!(details(&line), expected);
    }
}
