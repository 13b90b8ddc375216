//! Tells systemd how far the daemon is (`Type=notify`).

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::debug;

/// The daemon answers.
pub(crate) fn ready(socket: Option<&Path>) {
    tell(socket, "READY=1");
}

/// The daemon is on its way down.
pub(crate) fn stopping(socket: Option<&Path>) {
    tell(socket, "STOPPING=1");
}

/// Whoever started the daemon need not listen.
fn tell(socket: Option<&Path>, word: &str) {
    let Some(socket) = socket else { return };
    let told = UnixDatagram::unbound().and_then(|from| from.send_to(word.as_bytes(), socket));
    if let Err(error) = told {
        debug!("telling the service manager: {error}");
    }
}
