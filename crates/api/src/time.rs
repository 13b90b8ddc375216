//! Times as the API writes them: RFC 3339 with as many decimals as needed, in UTC.
//!
//! The zero time of Go, `0001-01-01T00:00:00Z`, stands for "never" and lies before every [`Timestamp`].

use std::borrow::Cow;
use std::fmt;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use model::{Duration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ApiError;

/// A time, or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Option<Timestamp>);

/// How Go writes the time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Time {
    /// Reads RFC 3339; the zero time is never.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text == NEVER {
            return Some(Self(None));
        }
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        Some(Self(i64::try_from(nanos).ok().map(Timestamp::from_nanos)))
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(Some(time))
    }
}

impl From<Option<Timestamp>> for Time {
    fn from(time: Option<Timestamp>) -> Self {
        Self(time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = self.0 else { return f.write_str(NEVER) };
        let moment = OffsetDateTime::from_unix_timestamp_nanos(time.nanos().into())
            .expect("64 bits of nanoseconds end in the year 2262");
        let (date, clock) = (moment.date(), moment.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = (clock.hour(), clock.minute(), clock.second());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match moment.nanosecond() {
            0 => f.write_str("Z"),
            nanos => write!(f, ".{}Z", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(source)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" is no time")))
    }
}

/// Reads a duration in nanoseconds that must not be negative.
pub fn duration(nanos: i64, refusal: &str) -> Result<Duration, ApiError> {
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| ApiError::invalid(refusal))
}

/// A duration in nanoseconds, at most 292 years.
pub fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Reads a point in time as queries give it (`since`, `until`): seconds since 1970 with decimals, RFC 3339, or a
/// duration before `now` (`10m`). Empty and `0` mean never.
pub fn moment(text: &str, now: Timestamp) -> Option<Time> {
    if text.is_empty() || text == "0" {
        return Some(Time(None));
    }
    if let Some(ago) = words(text) {
        return Some((now - ago).into());
    }
    seconds(text).map(Time::from).or_else(|| Time::parse(text)).or_else(|| Time::parse(&format!("{text}Z")))
}

fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 9 || !decimals.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{decimals:0<9}").parse().ok()?;
    Some(Timestamp::from_parts(whole.parse().ok()?, nanos))
}

/// Reads a duration in words: `1h30m`, `1.5s`, `200ms`.
pub fn words(text: &str) -> Option<Duration> {
    let mut total = 0f64;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(unit_at);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok()).flatten()
}

/// A duration as people say it: `5 minutes`, `About an hour`, `2 weeks`.
pub fn phrase(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, 2..48) => format!("{hours} hours"),
        (_, _, 48..336) => format!("{} days", hours / 24),
        (_, _, 336..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, 1440..17_520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        "us" | "µs" | "μs" => Some(1e-6),
        "ns" => Some(1e-9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_zero_time_is_never() {
        assert_eq!(Time(None).to_string(), NEVER);
        assert_eq!(Time::parse(NEVER), Some(Time(None)));
        assert_eq!(Time::from(Timestamp::EPOCH).to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn trailing_zeros_are_left_out() {
        let time = Time::from(Timestamp::from_parts(1_795_239_575, 106_726_060));
        assert_eq!(time.to_string(), "2026-11-21T05:39:35.10672606Z");
    }

    #[test]
    fn moments_have_many_forms() {
        let now = Timestamp::from_parts(1000, 0);
        for (text, nanos) in [("5", 5_000_000_000), ("5.25", 5_250_000_000), ("10s", 990_000_000_000)] {
            assert_eq!(moment(text, now), Some(Timestamp::from_nanos(nanos).into()), "{text}");
        }
        assert_eq!(moment("1970-01-01T00:00:07", now), Some(Timestamp::from_parts(7, 0).into()));
        for bad in ["yesterday", "5.x", "1y", "-"] {
            assert_eq!(moment(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_said_as_people_say_them() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (3600, "About an hour"),
            (3 * 3600, "3 hours"),
            (50 * 3600, "2 days"),
            (20 * 86_400, "2 weeks"),
            (90 * 86_400, "3 months"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(phrase(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back(nanos in any::<i64>()) {
            let time = Time::from(Timestamp::from_nanos(nanos));
            prop_assert_eq!(Time::parse(&time.to_string()), Some(time));
        }

        #[test]
        fn garbage_never_panics(text in ".*") {
            let _ = (Time::parse(&text), moment(&text, Timestamp::EPOCH));
        }
    }
}
