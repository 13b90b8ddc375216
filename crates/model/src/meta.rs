//! What every object of the store carries beside its own content.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// Labels, in the order of their keys.
pub type Labels = BTreeMap<String, String>;

/// A version of an object: the index of the log at which the change that made it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The index in the log.
    pub index: u64,
}

/// When an object was made and last changed, and its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Changes with every update; an update must name the version it was made from.
    pub version: Version,
    /// By the clock of the manager that made it.
    pub created_at: Option<Timestamp>,
    /// By the clock of the manager that changed it last.
    pub updated_at: Option<Timestamp>,
}

/// The name and labels a user gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Unique among objects of its kind, without regard to case.
    pub name: String,
    /// Free texts for people and filters.
    pub labels: Labels,
    /// Additional keys to find the object by.
    pub indices: Vec<IndexEntry>,
}

/// One additional key of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// The name of the index.
    pub key: String,
    /// The value to find.
    pub value: String,
}

/// A driver by name, with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Which driver; empty means the default one.
    pub name: String,
    /// Options, known to the driver only.
    pub options: BTreeMap<String, String>,
}

/// A foreign message, carried as it is (`google.protobuf.Any`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// What the bytes mean.
    pub type_url: String,
    /// The message.
    pub value: Vec<u8>,
}
