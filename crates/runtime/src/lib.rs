//! Containers: images, bundles, supervisors, logs.

pub mod container;
pub mod image;
pub mod logs;
