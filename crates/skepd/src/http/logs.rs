//! Logs as clients read them: of one container, or of all tasks of a service that ran on this node.
//!
//! In: what a client wants, and lines. Out: a stream that ends with the lines, or with the client. It keeps nothing:
//! lines are read as fast as the client takes them.

use std::collections::BTreeMap;

use api::{ApiError, ApiVersion, time};
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, SelectAll, StreamExt};
use model::Timestamp;
use runtime::Stream;
use runtime::container::{ContainerId, Containers};
use runtime::logs::{Follow, LogLine, LogQuery};
use tokio::sync::mpsc;

use crate::http::Failure;
use crate::http::request::Query;
use crate::http::stream::{Framing, Source, with_type};

/// What a client wants of a log, and how.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    query: LogQuery,
    timestamps: bool,
    details: bool,
}

/// One container's log, and the words that `details` puts before each line.
pub(crate) struct LogSource {
    /// Which container.
    pub(crate) container: ContainerId,
    /// By key, in their order.
    pub(crate) attributes: BTreeMap<&'static str, String>,
}

impl Wish {
    /// Reads the query.
    ///
    /// # Errors
    /// If nothing is wanted, or a time is none.
    pub(crate) fn of(query: &Query) -> Result<Self, ApiError> {
        let (output, errors) = (query.truth("stdout"), query.truth("stderr"));
        if !output && !errors {
            return Err(ApiError::invalid("Bad parameters: you must choose at least one stream"));
        }
        Ok(Self {
            query: LogQuery {
                follow: if query.truth("follow") { Follow::UntilExit } else { Follow::No },
                tail: query.text("tail").parse().ok(),
                since: moment(query, "since")?,
                until: moment(query, "until")?,
                output,
                errors,
            },
            timestamps: query.truth("timestamps"),
            details: query.truth("details"),
        })
    }

    /// One line as it is written.
    fn line(&self, attributes: &str, line: LogLine) -> Bytes {
        let LogLine { at, stream: _, text } = line;
        let mut written = Vec::with_capacity(text.len() + 40);
        if self.timestamps {
            written.extend_from_slice(stamp(at).as_bytes());
            written.push(b' ');
        }
        if self.details {
            written.extend_from_slice(attributes.as_bytes());
            written.push(b' ');
        }
        written.extend_from_slice(&text);
        written.into()
    }
}

/// Times of log lines have all nine decimals, so that they stand in columns.
fn stamp(at: Timestamp) -> String {
    let (_, nanos) = at.parts();
    let whole = api::Time::from(Timestamp::from_parts(at.parts().0, 0)).to_string();
    format!("{}.{nanos:09}Z", whole.trim_end_matches('Z'))
}

fn moment(query: &Query, key: &str) -> Result<Option<Timestamp>, ApiError> {
    let text = query.text(key);
    let moment = time::moment(text, host::clock::now());
    Ok(moment
        .ok_or_else(|| ApiError::invalid(format!("invalid value for \"{key}\": \"{text}\" is no time")))?
        .0)
}

/// The logs of these containers as one stream. What cannot be read is told as its last line.
///
/// # Errors
/// If a log cannot be read at all.
pub(crate) fn answer(
    containers: &Containers,
    sources: Vec<LogSource>,
    wish: Wish,
    (framing, version): (Framing, ApiVersion),
    warning: Option<String>,
) -> Result<Response, Failure> {
    let mut all = SelectAll::new();
    for LogSource { container, attributes } in sources {
        let lines = containers.logs(container, wish.query)?;
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let attributes = attributes.join(",");
        let wish = wish.clone();
        all.push(Box::pin(received(lines).map(move |line| {
            let source = match line.stream {
                Stream::Output => Source::Output,
                Stream::Errors => Source::Errors,
            };
            framing.frame(source, wish.line(&attributes, line))
        })));
    }
    let warning = warning.map(|text| framing.frame(Source::Errors, format!("{text}\n").into()));
    let pieces = all.chain(stream::iter(warning)).map(Ok::<_, std::convert::Infallible>);
    Ok(with_type(framing.media_type(version), Body::from_stream(pieces)))
}

fn received(lines: mpsc::Receiver<LogLine>) -> impl futures_util::Stream<Item = LogLine> + Send {
    stream::unfold(lines, |mut lines| async move { Some((lines.recv().await?, lines)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_it_is_wished() {
        let wish = Wish::of(&Query::parse("stdout=1&timestamps=1&details=1")).unwrap();
        let line =
            LogLine { at: Timestamp::from_parts(0, 5), stream: Stream::Output, text: b"hi\n".to_vec() };
        assert_eq!(&wish.line("a=b", line)[..], b"1970-01-01T00:00:00.000000005Z a=b hi\n");
    }

    #[test]
    fn wrong_wishes_are_refused() {
        for (query, words) in [
            ("", "at least one stream"),
            ("stdout=1&since=x", "\"since\""),
            ("stderr=1&until=x", "\"until\""),
        ] {
            let refused = Wish::of(&Query::parse(query)).unwrap_err();
            assert!(refused.status == 400 && refused.message.contains(words), "{query}: {refused}");
        }
    }
}
