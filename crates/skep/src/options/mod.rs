//! What flags say: one file for each kind of flag, shared by the commands that have it.
//!
//! In: words. Out: parts of the API's specs, or the rule that a word breaks. Nothing here asks a daemon.

pub(crate) mod additions;
pub(crate) mod availability;
pub(crate) mod container;
pub(crate) mod devices;
pub(crate) mod health;
pub(crate) mod host;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod pairs;
pub(crate) mod placement;
pub(crate) mod policy;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod publish;
pub(crate) mod reach;
pub(crate) mod reference;
pub(crate) mod removals;
pub(crate) mod replicas;
pub(crate) mod resources;
pub(crate) mod restart;
pub(crate) mod rights;
pub(crate) mod storage;
pub(crate) mod ulimit;
pub(crate) mod update;
pub(crate) mod values;
