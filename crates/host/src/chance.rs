//! The only drawing of random numbers: seeds, from the kernel.

use std::fs::File;
use std::io::{self, Read};

use model::Chance;

/// A generator that nobody can foretell.
///
/// # Errors
/// If the kernel's source cannot be read, which means that the machine must not run secrets at all.
pub fn chance() -> io::Result<Chance> {
    Ok(Chance::from_seed(bytes()?))
}

/// Random bytes, for keys.
///
/// # Errors
/// As [`chance`].
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
