//! Why a daemon gave no answer, or a no.

use std::io;

use hyper::StatusCode;

use super::tls;

/// Why the daemon gave no answer, or a no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens there.
    #[error("Cannot connect to the skep daemon at {0}. Is skepd running? ({1})")]
    Unreachable(String, io::Error),
    /// Whoever listens there does not prove to be the daemon, or speaks no TLS.
    #[error("the daemon at {0} cannot be trusted: {1}")]
    Untrusted(String, io::Error),
    /// The daemon said no.
    #[error("Error response from daemon: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// In the daemon's words.
        message: String,
    },
    /// The conversation broke.
    #[error("the connection to the daemon broke")]
    Broken(#[source] hyper::Error),
    /// The daemon wants to know who speaks.
    #[error("certificate required: the daemon hears only clients with one; give --tlscert and --tlskey")]
    Unproven,
    /// The daemon said something else than what was agreed.
    #[error("the daemon's answer cannot be read: {0}")]
    Malformed(#[from] api::Malformed),
    /// A request cannot be said in JSON.
    #[error("the request cannot be written: {0}")]
    Unsayable(#[from] serde_json::Error),
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        if tls::asks_for_certificate(&error) { Self::Unproven } else { Self::Broken(error) }
    }
}

impl ClientError {
    /// True if the daemon knows no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// The same, or in these words that the thing is not there.
    pub(crate) fn or_missing(self, words: String) -> anyhow::Error {
        if self.is_not_found() { anyhow::Error::msg(words) } else { self.into() }
    }

    /// True if the daemon said no, whatever its reason.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}
