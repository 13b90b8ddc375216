//! What can go wrong, for those who must treat it differently.

use std::io;

use crate::ports::PortTaken;
use crate::subnet::Subnet;

/// The kernel, or a tool that speaks to it, refused.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Kernel {
    /// What was being done.
    pub doing: &'static str,
    /// What was said.
    #[source]
    pub source: io::Error,
}

impl Kernel {
    /// Turns what was said into a failure that also tells what was being done.
    pub(crate) fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, source }
    }

    /// The same failure for one more who waits for the outcome.
    pub(crate) fn again(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self { doing: self.doing, source }
    }
}

/// Why a container got no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// A port of this host belongs to somebody else.
    #[error("driver failed programming external connectivity on endpoint {name} ({endpoint}): {taken}")]
    Port {
        /// The container's name.
        name: String,
        /// The id of its place in the network.
        endpoint: String,
        /// Which port.
        taken: PortTaken,
    },
    /// The bridge's subnet has no free address.
    #[error("no available IPv4 addresses on this network's address pools: bridge ({0})")]
    Full(Subnet),
    /// The ports or the link of a sandbox cannot change while it lives.
    #[error("container {0} is connected already, in another way")]
    Fixed(String),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] Kernel),
    /// The network is on the way down.
    #[error("the network of this host is shutting down")]
    Stopped,
}
