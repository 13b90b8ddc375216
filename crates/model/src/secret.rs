//! A secret: bytes that only reach the tasks they are for.

use std::fmt;

use crate::id::SecretId;
use crate::meta::{Annotations, Driver, Meta};

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its id.
    pub id: SecretId,
    /// Version and times.
    pub meta: Meta,
    /// What it is.
    pub spec: SecretSpec,
    /// Made by the swarm for itself.
    pub internal: bool,
}

/// What a secret is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// The bytes.
    pub data: Vec<u8>,
    /// How the bytes are expanded; absent means not at all.
    pub templating: Option<Driver>,
    /// Who holds the bytes, if not the store.
    pub driver: Option<Driver>,
}

impl fmt::Debug for SecretSpec {
    /// Leaves out the bytes: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSpec").field("annotations", &self.annotations).finish_non_exhaustive()
    }
}
