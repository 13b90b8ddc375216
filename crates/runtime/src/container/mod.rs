//! Containers: described, made, run, watched, removed.
//!
//! In: descriptions, and what users and the worker ask. Out: processes in their namespaces, their output, their
//! exit codes, and events. Nothing here knows what a service is, nor makes networks or fetches images.

pub(crate) mod anticipation;
pub mod attachment;
pub(crate) mod beneath;
pub mod containers;
pub mod description;
pub mod error;
pub mod event;
pub mod exec;
pub mod files;
pub(crate) mod ground;
pub mod health;
pub mod id;
pub(crate) mod keeper;
pub mod mounts;
pub(crate) mod oci;
pub(crate) mod prepare;
pub(crate) mod rehearsal;
pub mod restart;
pub(crate) mod rootfs;
pub(crate) mod rules;
pub(crate) mod sealed;
pub mod signal;
pub(crate) mod spec;
pub mod state;
pub mod wait;

pub use attachment::Attachment;
pub use containers::{Containers, Removal, RootFolders, StopWish};
pub use description::{Description, Surroundings};
pub use error::ContainerError;
pub use event::{Action, ContainerEvent};
pub use exec::{ExecId, ExecRecord, ExecStart, ExecWish};
pub use ground::RuntimeConfig;
pub use id::ContainerId;
pub use keeper::{Leavings, Occasion};
pub use restart::RestartPolicy;
pub use signal::Signal;
pub use state::{Exit, Phase, Record};
pub use wait::WaitFor;
