//! What users wish of a service, down to the last flag of a container.

pub mod container;
pub mod endpoint;
pub mod mount;
pub mod placement;
pub mod privileges;
pub mod reference;
pub mod resources;
pub mod task;
pub mod update;
