//! The kernel's switches under `/proc/sys/net`, as the present network namespace has them.
//!
//! In: names with slashes and values. Out: done. A value that is already there is not written, so that a read-only
//! `/proc` with the right values is good enough.

use std::fs;
use std::io;

/// Sets a switch unless it is set already.
pub(crate) fn set(name: &str, value: &str) -> io::Result<()> {
    let path = path(name);
    let present = fs::read_to_string(&path)?;
    if present.split_whitespace().eq(value.split_whitespace()) { Ok(()) } else { fs::write(path, value) }
}

/// Sets a switch of a new namespace, where no switch has been touched. Some kernels do not have all of them.
pub(crate) fn set_if_known(name: &str, value: &str) -> io::Result<()> {
    match fs::write(path(name), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}
