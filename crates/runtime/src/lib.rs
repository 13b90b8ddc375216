//! Containers: images, bundles, supervisors, logs.

pub(crate) mod cgroup;
pub mod container;
pub(crate) mod disk;
pub mod image;
pub mod logs;
pub mod stats;
pub(crate) mod supervisor;
pub(crate) mod tape;
pub mod volume;

pub use supervisor::Stream;
