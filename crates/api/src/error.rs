//! What a client is told when something is refused: a status and a sentence.
//!
//! The only place where refusals become numbers (`engine_api.md` section 3).

use std::fmt;

use model::{Refusal, RefusalKind};
use serde::{Deserialize, Serialize};

use crate::json::Malformed;

/// A refusal as a client hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The sentence.
    pub message: String,
}

/// The body of every refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The sentence.
    pub message: String,
}

impl ApiError {
    /// A refusal with this status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request breaks a rule: 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The asker may not: 403.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, message)
    }

    /// It does not exist: 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// Such a thing exists, or its state forbids it: 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, message)
    }

    /// Something broke here: 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    /// It is not built: 501.
    pub fn not_built(what: &str) -> Self {
        Self::new(501, format!("{what} is not built into this daemon"))
    }

    /// Not now: 503.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<Refusal> for ApiError {
    /// Refusals of a manager keep the prefix that clients have come to expect.
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Invalid | RefusalKind::Precondition => 400,
            RefusalKind::Denied => 403,
            RefusalKind::NotFound => 404,
            RefusalKind::AlreadyExists => 409,
            RefusalKind::Unimplemented => 501,
            RefusalKind::Unavailable => 503,
            RefusalKind::Unknown => 500, // among them "update out of sequence"
        };
        Self { status, message: format!("rpc error: code = {} desc = {refusal}", refusal.code_name()) }
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> Self {
        Self::invalid(malformed.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_code_as_a_prefix() {
        let refused = ApiError::from(Refusal::out_of_sequence());
        assert_eq!(refused, ApiError::new(500, "rpc error: code = Unknown desc = update out of sequence"));
        let refused = ApiError::from(Refusal::new(RefusalKind::AlreadyExists, "secret x already exists"));
        assert_eq!(refused.status, 409);
        assert_eq!(refused.message, "rpc error: code = AlreadyExists desc = secret x already exists");
    }
}
