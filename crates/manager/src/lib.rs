//! The shell of a manager.
//!
//! [`Manager`] runs the pumps of two machines: the replica (`raft`), which orders changes, and the leader
//! (`control`), which decides them while this manager leads. [`Ask`] puts questions to the leader, [`book`] shows what
//! is committed, [`log`] keeps it on disk. Nothing here decides.

pub mod ask;
pub mod book;
pub mod desk;
pub mod keys;
mod leader;
pub mod log;
mod manager;
pub mod members;
mod replica;
pub mod services;
mod signer;
#[cfg(test)]
mod tests;

pub mod transport;

pub use ask::Ask;
pub use manager::{Failure, Group, Manager, ManagerConfig, StartError};
pub use members::{Members, Reachability};
pub use replica::Leadership;
pub use services::Services;
