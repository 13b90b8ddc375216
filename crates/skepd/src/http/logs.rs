//! Logs as clients read them, and the log of one container.
//!
//! In: what a client wants, and lines. Out: a stream that ends with the lines, or with the client. It keeps nothing:
//! lines are read as fast as the client takes them.

use api::{ApiError, ApiVersion, time};
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
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
    /// Which lines.
    pub(crate) query: LogQuery,
    timestamps: bool,
    details: bool,
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

    /// One line as it is written; `details` are put before it if they are wished.
    pub(crate) fn line(&self, at: Timestamp, details: &str, text: &[u8]) -> Bytes {
        let mut written = Vec::with_capacity(text.len() + 40);
        if self.timestamps {
            written.extend_from_slice(stamp(at).as_bytes());
            written.push(b' ');
        }
        if self.details {
            written.extend_from_slice(details.as_bytes());
            written.push(b' ');
        }
        written.extend_from_slice(text);
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

/// The log of a container as a stream.
///
/// # Errors
/// If it cannot be read at all.
pub(crate) fn answer(
    containers: &Containers,
    container: ContainerId,
    wish: Wish,
    (framing, version): (Framing, ApiVersion),
) -> Result<Response, Failure> {
    let lines = received(containers.logs(container, wish.query)?);
    let pieces = lines.map(move |LogLine { at, stream, text }| {
        let source = match stream {
            Stream::Output => Source::Output,
            Stream::Errors => Source::Errors,
        };
        Ok::<_, std::convert::Infallible>(framing.frame(source, wish.line(at, "", &text)))
    });
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
        let line = wish.line(Timestamp::from_parts(0, 5), "a=b", b"hi\n");
        assert_eq!(&line[..], b"1970-01-01T00:00:00.000000005Z a=b hi\n");
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
