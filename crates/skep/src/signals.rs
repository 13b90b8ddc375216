//! Signals that this program hands on to a container instead of obeying them.

use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Those that a person or a service manager sends; what the kernel tells of children, pipes and terminals stays.
const HANDED_ON: [(&str, i32); 8] = [
    ("HUP", nix::libc::SIGHUP),
    ("INT", nix::libc::SIGINT),
    ("QUIT", nix::libc::SIGQUIT),
    ("TERM", nix::libc::SIGTERM),
    ("USR1", nix::libc::SIGUSR1),
    ("USR2", nix::libc::SIGUSR2),
    ("CONT", nix::libc::SIGCONT),
    ("TSTP", nix::libc::SIGTSTP),
];

/// Catches signals for as long as it lives, and longer: the kernel is not told again to obey them.
pub(crate) struct Signals(Vec<(&'static str, Signal)>);

impl Signals {
    /// Catches those that are handed on; none if nobody wants them.
    pub(crate) fn caught(is_wanted: bool) -> io::Result<Self> {
        let wanted = HANDED_ON.iter().filter(|_| is_wanted);
        let caught = wanted.map(|(name, number)| Ok((*name, signal(SignalKind::from_raw(*number))?)));
        caught.collect::<io::Result<_>>().map(Self)
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(name, signal)| {
                matches!(signal.poll_recv(cx), Poll::Ready(Some(()))).then_some(*name)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
