//! One line of a log as the supervisor writes it, and back: JSON with `log`, `stream` and `time`.

use model::Timestamp;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::supervisor::Stream;

/// One line of output. Long ones come in parts, without an end of line but the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// To which stream.
    pub stream: Stream,
    /// With its end of line.
    pub text: Vec<u8>,
}

#[derive(Deserialize)]
struct Written {
    log: String,
    stream: String,
    time: String,
}

impl LogLine {
    /// Reads a line; `None` if it is none, as after a crash of the machine.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let Written { log, stream, time } = serde_json::from_slice(line).ok()?;
        let at = OffsetDateTime::parse(&time, &Rfc3339).ok()?;
        let stream = match stream.as_str() {
            "stdout" => Stream::Output,
            "stderr" => Stream::Errors,
            _ => return None,
        };
        let at = Timestamp::from_nanos(i64::try_from(at.unix_timestamp_nanos()).ok()?);
        Some(Self { at, stream, text: log.into_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = br#"{"log":"a\"\u0001\n","stream":"stderr","time":"2000-02-29T00:00:00.000000001Z"}"#;
        let at = Timestamp::from_nanos(951_782_400_000_000_001);
        let expected = LogLine { at, stream: Stream::Errors, text: b"a\"\x01\n".to_vec() };
        assert_eq!(LogLine::parse(line), Some(expected));
        assert_eq!(LogLine::parse(br#"{"log":"cut"#), None);
    }

    proptest! {
        #[test]
        fn no_bytes_topple_it(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = LogLine::parse(&bytes);
        }
    }
}
