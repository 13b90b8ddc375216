//! Lets the runtime wait for a descriptor it has no type for.
//!
//! In: a descriptor. Out: the same, to be waited for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// A descriptor the runtime can wait for. It must not block.
pub(crate) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open until it is dropped and always names the same descriptor, which is all that is asked.
    #[expect(unsafe_code, reason = "tokio cannot see that the descriptor is owned")]
    let watched = unsafe { AsyncFd::register(descriptor) };
    Ok(watched?)
}
