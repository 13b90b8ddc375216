//! Containers: described, made, run, watched, removed.
//!
//! In: descriptions, and what users and the worker ask. Out: processes in their namespaces, their output, their
//! exit codes, and events. Nothing here knows what a service is, nor makes networks or fetches images.

pub mod description;
pub mod error;
pub mod event;
pub mod health;
pub mod id;
pub mod mounts;
pub mod state;

pub use description::{Description, Surroundings};
pub use error::ContainerError;
pub use event::{Action, ContainerEvent};
pub use id::ContainerId;
pub use state::{Exit, Phase, Record};
