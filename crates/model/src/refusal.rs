//! Every no a user can get from the swarm, in its public words.
//!
//! Mapped to HTTP once, in `api::error`, and to gRPC once, in `wire::convert::refusal`. The kinds are gRPC's
//! codes, since clients of both tongues have come to expect them (`engine_api.md` section 3).

use std::fmt;

/// A no, in public words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of which kind.
    pub kind: RefusalKind,
    /// In words that name the field and the rule.
    pub message: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request breaks a rule.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// Such a thing exists already.
    AlreadyExists,
    /// The state of the swarm does not allow it.
    Precondition,
    /// The asker may not.
    Denied,
    /// Not built, or not allowed ever.
    Unimplemented,
    /// Not now; later perhaps.
    Unavailable,
    /// Something changed in between, or clients expect no kind.
    Unknown,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The request breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, message)
    }

    /// What the request names does not exist.
    pub fn not_found(what: &str, which: impl fmt::Display) -> Self {
        Self::new(RefusalKind::NotFound, format!("{what} {which} not found"))
    }

    /// The object changed since the asker read it.
    pub fn out_of_sequence() -> Self {
        Self::new(RefusalKind::Unknown, "update out of sequence")
    }

    /// Nobody leads the managers at the moment.
    pub fn no_leader() -> Self {
        let message = "The swarm does not have a leader. It's possible that too few managers are online. \
                       Make sure more than half of the managers are online.";
        Self::new(RefusalKind::Unknown, message)
    }

    /// The name of the gRPC code for this kind.
    pub fn code_name(&self) -> &'static str {
        match self.kind {
            RefusalKind::Invalid => "InvalidArgument",
            RefusalKind::NotFound => "NotFound",
            RefusalKind::AlreadyExists => "AlreadyExists",
            RefusalKind::Precondition => "FailedPrecondition",
            RefusalKind::Denied => "PermissionDenied",
            RefusalKind::Unimplemented => "Unimplemented",
            RefusalKind::Unavailable => "Unavailable",
            RefusalKind::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
