//! Foreign objects: kinds that plugins add to the store, and the objects of those kinds.

use crate::id::{ExtensionId, ResourceId};
use crate::meta::{Annotations, Meta, Payload};

/// A kind of foreign object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its id.
    pub id: ExtensionId,
    /// Version and times.
    pub meta: Meta,
    /// Name and labels.
    pub annotations: Annotations,
    /// In a sentence.
    pub description: String,
}

/// One foreign object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Version and times.
    pub meta: Meta,
    /// Name and labels.
    pub annotations: Annotations,
    /// The name of its extension.
    pub kind: String,
    /// The object itself.
    pub payload: Option<Payload>,
}
