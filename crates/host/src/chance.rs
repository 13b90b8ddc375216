//! The only drawing of random numbers: seeds, from the kernel.

use std::io;

use model::Chance;

/// A generator that nobody can foretell.
///
/// # Errors
/// If the kernel gives none, which means that the machine must not run secrets at all.
pub fn chance() -> io::Result<Chance> {
    Ok(Chance::from_seed(bytes()?))
}

/// Random bytes, for keys.
///
/// # Errors
/// As [`chance`].
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
