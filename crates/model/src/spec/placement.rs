//! Where a task may run.

use crate::spec::resources::Platform;

/// Where a task may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// All must hold; grammar in [`crate::constraint`].
    pub constraints: Vec<String>,
    /// In the order of their weight.
    pub preferences: Vec<Preference>,
    /// What the image was made for; empty means all.
    pub platforms: Vec<Platform>,
    /// The most tasks of the service on one node; 0 means no bound.
    pub max_replicas: u64,
}

/// A wish that bends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Evenly over the values of a label: `node.labels.X` or `engine.labels.X`.
    Spread(String),
}
