//! Writes the container's output line by line, as JSON, and puts full files aside.
//!
//! What cannot be written (a full disk, say) is lost: the container must never wait for its log. Memory does not
//! grow with the output: one unfinished line of each stream, and what goes to the disk at once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::plan::Plan;
use crate::sys;

/// A log being written.
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    size_max: u64,
    files_max: u32,
    compressed: bool,
    unfinished: [Vec<u8>; 2],
    ready: Vec<u8>,
}

/// The two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Its output.
    Output,
    /// Its errors.
    Errors,
}

impl Log {
    /// Opens the log, if one is to be kept.
    pub(crate) fn open(plan: &Plan) -> Option<Self> {
        let path = plan.log.clone()?;
        let mut log = Self {
            path,
            file: None,
            size: 0,
            size_max: plan.log_size_max,
            files_max: plan.log_files_max,
            compressed: plan.log_compressed,
            unfinished: [Vec::new(), Vec::new()],
            ready: Vec::new(),
        };
        log.reopen();
        Some(log)
    }

    /// Takes in output. Whole lines are written with the next [`Log::flush`].
    pub(crate) fn take(&mut self, stream: Stream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let unfinished = &mut self.unfinished[stream as usize];
            let room = LINE_MAX - unfinished.len();
            let window = &bytes[..bytes.len().min(room)];
            let end = window.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let part = end.unwrap_or(window.len());
            unfinished.extend_from_slice(&bytes[..part]);
            bytes = &bytes[part..];
            if end.is_some() || unfinished.len() == LINE_MAX {
                self.finish_line(stream);
            }
        }
    }

    /// Writes what is ready.
    pub(crate) fn flush(&mut self) {
        if let Some(file) = self.file.as_mut().filter(|_| !self.ready.is_empty()) {
            // Lost if it cannot be written: the container must not wait for the disk to have room.
            let _ = file.write_all(&self.ready);
        }
        self.ready.clear();
        self.ready.shrink_to(READY_KEPT);
    }

    /// Writes also what has no end of line: nothing will come any more.
    pub(crate) fn finish(&mut self) {
        for stream in [Stream::Output, Stream::Errors] {
            if !self.unfinished[stream as usize].is_empty() {
                self.finish_line(stream);
            }
        }
        self.flush();
    }

    fn finish_line(&mut self, stream: Stream) {
        let start = self.ready.len();
        let line = &mut self.unfinished[stream as usize];
        self.ready.extend_from_slice(b"{\"log\":\"");
        escape(line, &mut self.ready);
        line.clear();
        line.shrink_to(LINE_KEPT);
        let name = if stream == Stream::Output { "stdout" } else { "stderr" };
        let _ = write!(self.ready, "\",\"stream\":\"{name}\",\"time\":\"");
        write_time(sys::now_nanos(), &mut self.ready);
        self.ready.extend_from_slice(b"\"}\n");
        let added = (self.ready.len() - start) as u64;
        if self.size_max > 0 && self.size > 0 && self.size + added > self.size_max {
            self.turn(start);
        }
        self.size += added;
        if self.ready.len() >= READY_MAX {
            self.flush();
        }
    }

    /// Puts the file aside, with what is ready up to `kept`, and begins a new one.
    fn turn(&mut self, kept: usize) {
        let next = self.ready.split_off(kept);
        self.flush();
        self.ready = next;
        self.file = None;
        let named = |number: u32| numbered(&self.path, number, self.compressed);
        for number in (1..self.files_max.saturating_sub(1)).rev() {
            let _ = fs::rename(named(number), named(number + 1));
        }
        if self.files_max > 1 {
            let aside = numbered(&self.path, 1, false);
            let _ = fs::rename(&self.path, &aside);
            if self.compressed {
                compress(&aside);
            }
        } else {
            let _ = fs::remove_file(&self.path);
        }
        self.reopen();
    }

    fn reopen(&mut self) {
        self.file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path).ok();
        self.size = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |found| found.len());
    }
}

fn numbered(path: &Path, number: u32, compressed: bool) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}{}", if compressed { ".gz" } else { "" }));
    name.into()
}

/// Begins to compress a file by `gzip`, which every Linux has. Nobody waits; the child is reaped like all orphans.
fn compress(path: &Path) {
    let program = Command::new("gzip").arg("-f").arg("--").arg(path).stdin(Stdio::null()).spawn();
    drop(program);
}

/// Writes bytes as the inside of a JSON text; what is no UTF-8 becomes U+FFFD.
fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' => into.extend_from_slice(b"\\\""),
                b'\\' => into.extend_from_slice(b"\\\\"),
                b'\n' => into.extend_from_slice(b"\\n"),
                b'\r' => into.extend_from_slice(b"\\r"),
                b'\t' => into.extend_from_slice(b"\\t"),
                0..0x20 | 0x7f => {
                    let _ = write!(into, "\\u{byte:04x}");
                }
                _ => into.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            into.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Writes a time as RFC 3339 with nanoseconds, in UTC.
fn write_time(nanos: i64, into: &mut Vec<u8>) {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let _ = write!(into, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z");
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that a leap day is the
/// last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + 719_468;
    let era = since_march_0.div_euclid(146_097);
    let day_of_era = since_march_0.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Longer lines are written in parts, each without an end of line but the last.
const LINE_MAX: usize = 16 * 1024;
/// So much of a line's room is kept for the next one.
const LINE_KEPT: usize = 512;
/// So much is written at once.
const READY_MAX: usize = 32 * 1024;
/// So much room for what is written is kept.
const READY_KEPT: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_243_199_999_999_999, "2026-11-21T06:39:59.999999999Z"),
        ] {
            let mut written = Vec::new();
            write_time(nanos, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_escaped() {
        let mut written = Vec::new();
        escape(b"a\"\\\x01\xff\xc3\xa4\n", &mut written);
        assert_eq!(String::from_utf8(written).unwrap(), "a\\\"\\\\\\u0001\u{fffd}ä\\n");
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let folder = std::env::temp_dir().join(format!("skep-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let plan = Plan { log: Some(path.clone()), log_size_max: 160, log_files_max: 3, ..Plan::default() };
        let mut log = Log::open(&plan).unwrap();
        for number in 0..9 {
            log.take(Stream::Output, format!("line {number}\n").as_bytes());
        }
        log.take(Stream::Errors, b"unfinished");
        log.finish();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert!(read(&path).contains("unfinished\",\"stream\":\"stderr\""));
        assert!(read(&numbered(&path, 1, false)).contains("line 7\\n"));
        assert!(read(&numbered(&path, 2, false)).contains("line 5\\n"));
        assert!(!numbered(&path, 3, false).exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
