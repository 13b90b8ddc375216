//! The other pump: a seeded world for the machines.
//!
//! The real replicas, leaders and workers, in a world where time is a number, disks and network and containers are
//! pretended, and every run is a function of its seed. Scripts show what happens in a case; storms look for cases
//! nobody thought of.

pub mod archive;
mod carry;
pub mod checks;
pub mod clerk;
pub mod client;
pub mod clock;
pub mod command;
pub mod containers;
pub mod desk;
pub mod disk;
pub mod failover;
pub mod faults;
pub mod founding;
pub mod linear;
pub mod mail;
pub mod manager;
pub mod network;
pub mod node;
pub mod office;
pub mod scale;
pub mod script;
pub mod storm;
pub mod story;
pub mod swarm;
pub mod tally;
pub mod truth;
pub mod wish;
pub mod world;

pub use storm::{Size, Wreck, storm};
pub use swarm::{Broken, NodeNumber, Plan, Swarm};
