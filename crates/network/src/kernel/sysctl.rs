//! The kernel's switches under `/proc/sys/net`, as the present network namespace has them.
//!
//! In: names with slashes and values. Out: done. A value that is already there is not written, so that a read-only
//! `/proc` with the right values is good enough.

use std::fs;
use std::io;

/// Sets a switch unless it is set already.
pub(crate) fn set(name: &str, value: &str) -> io::Result<()> {
    let path = format!("/proc/sys/net/{name}");
    let present = fs::read_to_string(&path)?;
    if present.split_whitespace().eq(value.split_whitespace()) { Ok(()) } else { fs::write(path, value) }
}

/// Sets a switch that some kernels do not have.
pub(crate) fn set_if_known(name: &str, value: &str) -> io::Result<()> {
    match set(name, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
