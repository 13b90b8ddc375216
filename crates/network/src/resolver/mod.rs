//! The name server inside each sandbox.
//!
//! In: the sockets of each sandbox, and the names of this host. Out: answers to what containers ask; what is not known
//! here is asked of the host's own name servers. It decides no names.
//!
//! All sandboxes are served by one task with one buffer: a container costs its two sockets and an entry in a table.

mod answer;
mod forward;
mod serve;
mod sockets;
mod upstream;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use host::shutdown::Shutdown;
use tokio::sync::{mpsc, watch};

pub(crate) use sockets::{ADDRESS, Port, Sockets};
pub use upstream::resolv_conf;

use crate::plan::Records;

/// The way to the name server.
#[derive(Clone)]
pub(crate) struct Resolver {
    changes: mpsc::UnboundedSender<Change>,
}

/// A sandbox comes or goes. There are never more of these than sandboxes, so their queue needs no other bound.
pub(crate) enum Change {
    /// A container asks by these sockets from now on.
    Open(String, Sockets),
    /// A container asks no more.
    Close(String),
}

impl Resolver {
    /// Starts the name server. It ends with `shutdown`.
    pub(crate) fn start(
        shutdown: &Shutdown,
        records: watch::Receiver<Arc<Records>>,
        resolv_conf: PathBuf,
    ) -> io::Result<Self> {
        let (changes, heard) = mpsc::unbounded_channel();
        let server = serve::Server::new(shutdown.clone(), records, resolv_conf)?;
        shutdown.spawn(server.run(heard));
        Ok(Self { changes })
    }

    /// Serves a container by its sockets.
    pub(crate) fn open(&self, container: &str, sockets: Sockets) {
        self.tell(Change::Open(container.to_owned(), sockets));
    }

    /// Closes a container's sockets, which would keep its namespace alive.
    pub(crate) fn close(&self, container: &str) {
        self.tell(Change::Close(container.to_owned()));
    }

    fn tell(&self, change: Change) {
        // A name server that has ended is on the way down with everything else, and has closed all sockets.
        let _ = self.changes.send(change);
    }
}
