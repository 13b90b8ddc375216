//! The shell of a manager.
//!
//! [`Manager`] runs the pumps of two machines: the replica (`raft`), which orders changes, and the leader
//! (`control`), which decides them while this manager leads. [`Ask`] puts questions to the leader, [`book`] shows what
//! is committed, [`log`] keeps it on disk. Nothing here decides.

mod anew;
pub mod ask;
mod authority;
pub mod book;
pub mod desk;
mod door;
mod external;
mod joining;
pub mod keys;
mod leader;
pub mod log;
mod manager;
pub mod members;
mod readers;
mod registrar;
mod remote;
mod replica;
mod route;
pub mod services;
mod signer;
#[cfg(test)]
mod tests;

pub mod transport;

pub use ask::Ask;
pub use door::Door;
pub use joining::join;
pub use manager::{Beginning, Failure, Group, Manager, ManagerConfig, Pace, StartError};
pub use members::{Members, Reachability};
pub use registrar::Admission;
pub use replica::Leadership;
pub use services::Services;
