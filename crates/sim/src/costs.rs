//! What this program costs its machine, as the kernel counts it.
//!
//! In: nothing. Out: processor time and memory so far. A storm must not know of either; only `main` does.

use std::fs;
use std::io;

use model::Duration;

/// How long a processor has worked for this program, which has one thread.
pub(crate) fn processor_time() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let nanos = text.split_whitespace().next().and_then(|word| word.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| unreadable("/proc/self/schedstat"))
}

/// The most memory it ever had, in MiB.
pub(crate) fn memory_peak() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib / 1024).ok_or_else(|| unreadable("/proc/self/status"))
}

fn unreadable(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{path} does not say it as expected"))
}
