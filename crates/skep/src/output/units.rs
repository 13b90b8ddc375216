//! Sizes and times in words, as docker's CLI has them.

use model::Timestamp;

/// A size with three digits in steps of 1000: `1.23MB`.
pub(crate) fn size(bytes: f64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 3)
}

/// A size with four digits in steps of 1000: `1.234MB`, as sums of disk space are shown.
pub(crate) fn long_size(bytes: f64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 4)
}

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// A size with four digits in steps of 1024: `4MiB`.
pub(crate) fn binary_size(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4)
}

fn scaled(bytes: f64, step: f64, units: &[&str], digits: usize) -> String {
    let mut value = bytes;
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// A number with so many significant digits and no zeros at its end.
fn significant(value: f64, digits: usize) -> String {
    let before = if value < 1.0 { 1 } else { value.log10().floor() as usize + 1 };
    let text = format!("{value:.after$}", after = digits.saturating_sub(before));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How long ago a second of the epoch was: `3 hours ago`.
pub(crate) fn ago(seconds: i64) -> String {
    let then = Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000));
    format!("{} ago", api::time::phrase(crate::session::now().since(then)))
}

/// How long ago a time was: `3 hours ago`; nothing if it never was.
pub(crate) fn since(time: api::Time) -> String {
    time.0
        .map(|then| format!("{} ago", api::time::phrase(crate::session::now().since(then))))
        .unwrap_or_default()
}

/// A time as docker's pages show it: `2026-01-31 10:00:00.123456789 +0000 utc`.
pub(crate) fn date(time: api::Time) -> String {
    let text = time.to_string();
    format!("{} +0000 utc", text.trim_end_matches('Z').replacen('T', " ", 1))
}

/// A second of the epoch as a date: `2026-01-31 10:00:00 +0000 UTC`.
pub(crate) fn moment(seconds: i64) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let (date, clock) = (at.date(), at.time());
    let (hour, minute, second) = (clock.hour(), clock.minute(), clock.second());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC")
}

/// Nanoseconds as Go writes a duration: `1h0m0s`, `1.5s`, `200ms`.
pub(crate) fn go_span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let decimals = |whole: u64, rest: u64, digits: usize| {
        let text = format!("{whole}.{rest:0digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let text = match (seconds, nanos) {
        (0, 0) => "0s".to_owned(),
        (0, ..1_000) => format!("{nanos}ns"),
        (0, ..1_000_000) => decimals(nanos / 1_000, nanos % 1_000, 3) + "µs",
        (0, _) => decimals(nanos / 1_000_000, nanos % 1_000_000, 6) + "ms",
        _ => {
            let tail = decimals(seconds % 60, rest, 9) + "s";
            match (seconds / 3600, seconds / 60 % 60) {
                (0, 0) => tail,
                (0, minutes) => format!("{minutes}m{tail}"),
                (hours, minutes) => format!("{hours}h{minutes}m{tail}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A text of at most so many letters; `…` stands for the rest.
pub(crate) fn ellipsis(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (5_000_000_000, "5s"),
            (-1_500_000_000, "-1.5s"),
            (200_000_000, "200ms"),
            (1_500, "1.5µs"),
            (7, "7ns"),
            (90_000_000_000, "1m30s"),
            (7_776_000_000_000_000, "2160h0m0s"),
        ] {
            assert_eq!(go_span(nanos), text);
        }
    }

    #[test]
    fn sizes_have_few_digits() {
        for (bytes, decimal, binary) in [
            (0.0, "0B", "0B"),
            (999.0, "999B", "999B"),
            (1000.0, "1kB", "1000B"),
            (1_234_567.0, "1.23MB", "1.177MiB"),
            (4_194_304.0, "4.19MB", "4MiB"),
        ] {
            assert_eq!((size(bytes).as_str(), binary_size(bytes).as_str()), (decimal, binary));
        }
        assert_eq!(long_size(1_234_567.0), "1.235MB");
    }
}
