//! Who may speak: authority, identity, tokens, unlock keys.
//!
//! In: bytes of certificates, keys and words, the time, and chance. Out: the same, made or judged. Nothing is
//! written here: whoever asks puts the bytes where they belong. Ids, serial numbers and words are drawn from the
//! chance that is handed in; private keys alone come from the system's generator inside `ring`, which takes no
//! other.

pub mod authority;
mod cross;
pub mod identity;
pub mod key_file;
mod pem;
mod root_key;
pub mod subject;
pub mod token;
pub mod trust;
pub mod unlock;

#[cfg(test)]
mod tests;

pub use authority::{Authority, Issue};
pub use identity::{Identity, Key};
pub use key_file::KeyFile;
pub use subject::{Subject, Validity};
pub use token::JoinToken;
pub use trust::Roots;
pub use unlock::{SealedKey, UnlockKey};

/// Why a certificate, key or word is of no use. The text says which and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("the {what} cannot be read: {why}")]
    Unreadable {
        /// Which.
        what: &'static str,
        /// What the reader says.
        why: String,
    },
    /// It can be read, but must not be used.
    #[error("the {what} must not be used: {why}")]
    Untrusted {
        /// Which.
        what: &'static str,
        /// Which rule it breaks.
        why: String,
    },
    /// It is sealed, and there is no unlock key, or not the right one.
    #[error("the node's private key is sealed; unlock it with the swarm's unlock key")]
    Locked,
}

impl Unusable {
    fn unreadable(what: &'static str, why: impl ToString) -> Self {
        Self::Unreadable { what, why: why.to_string() }
    }

    fn untrusted(what: &'static str, why: impl ToString) -> Self {
        Self::Untrusted { what, why: why.to_string() }
    }
}
