//! What users wish, down to the last flag of a container.

pub mod container;
pub mod endpoint;
pub mod mount;
pub mod placement;
pub mod privileges;
pub mod resources;
pub mod restart;
pub mod task;
pub mod update;
