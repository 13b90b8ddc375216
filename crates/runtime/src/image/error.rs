//! Every no that images can give, in the words users know from Docker.
//!
//! The variants are what a caller treats differently; the route maps [`ImageError::kind`] to a status once.

use std::io;

use crate::image::digest::MalformedDigest;

/// Why something about images was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ImageError {
    /// What a caller may do about it.
    pub kind: ImageErrorKind,
    /// In words for the user.
    pub message: String,
}

/// What a caller may do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageErrorKind {
    /// There is no such image here or there: 404.
    NotFound,
    /// Something else uses it: 409.
    Conflict,
    /// The request, the archive or the image breaks a rule: 400.
    Invalid,
    /// The registry wants other credentials: 401 to the registry's user, 500 in Docker's API.
    Denied,
    /// The registry does not answer, or not sensibly; trying again may help: 500.
    Registry,
    /// This machine cannot: disk full, file unreadable: 500.
    Machine,
}

impl ImageError {
    /// An error of this kind.
    pub fn new(kind: ImageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Nothing is called so.
    pub fn no_such_image(name: &str) -> Self {
        Self::new(ImageErrorKind::NotFound, format!("No such image: {name}"))
    }

    /// The request, the archive or the image breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ImageErrorKind::Invalid, message)
    }

    /// What the machine said while this was being done.
    pub(crate) fn machine(doing: &str, error: &io::Error) -> Self {
        Self::new(ImageErrorKind::Machine, format!("{doing}: {error}"))
    }
}

impl From<MalformedDigest> for ImageError {
    fn from(malformed: MalformedDigest) -> Self {
        Self::invalid(malformed.to_string())
    }
}

impl From<model::Refusal> for ImageError {
    fn from(refusal: model::Refusal) -> Self {
        let model::Refusal { kind, message } = refusal;
        match kind {
            model::RefusalKind::NotFound => Self::new(ImageErrorKind::NotFound, message),
            _ => Self::invalid(message),
        }
    }
}
