//! The other pump: a seeded world for the machines.
//!
//! The real leader and the real workers, in a world where time is a number, the log and the network and the
//! containers are pretended, and every run is a function of its seed. Scripts show what happens in a case;
//! storms look for cases nobody thought of.

pub mod checks;
pub mod client;
pub mod command;
pub mod containers;
pub mod faults;
pub mod founding;
pub mod network;
pub mod node;
pub mod script;
pub mod storm;
pub mod story;
pub mod swarm;
pub mod wish;
pub mod world;

pub use storm::{Size, Wreck, storm};
pub use swarm::{Broken, NodeNumber, Swarm};
