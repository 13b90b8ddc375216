//! A config: a file that every node of a task gets.

use crate::id::ConfigId;
use crate::meta::{Annotations, Driver, Meta};

/// One config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its id.
    pub id: ConfigId,
    /// Version and times.
    pub meta: Meta,
    /// What it is.
    pub spec: ConfigSpec,
}

/// What a config is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigSpec {
    /// Name and labels.
    pub annotations: Annotations,
    /// The bytes.
    pub data: Vec<u8>,
    /// How the bytes are expanded; absent means not at all.
    pub templating: Option<Driver>,
}
