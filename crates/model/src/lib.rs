//! The nouns of a swarm, and their small grammars.
//!
//! Plain values that every room shares: ids, times, objects, specs, and the texts of every refusal. What is
//! here decides nothing, reads no clock and touches nothing outside. Fields are SwarmKit's (`wire.md`).

pub mod chance;
pub mod cluster;
pub mod config;
pub mod constraint;
pub mod extension;
pub mod id;
pub mod image;
pub mod limits;
pub mod machine;
pub mod meta;
pub mod name;
pub mod network;
pub mod node;
pub mod refusal;
pub mod secret;
pub mod service;
pub mod spec;
pub mod state;
pub mod task;
pub mod time;
pub mod volume;

pub use chance::Chance;
pub use cluster::{Cluster, ClusterSpec};
pub use config::{Config, ConfigSpec};
pub use extension::{Extension, Resource};
pub use id::*;
pub use machine::Machine;
pub use meta::{Annotations, Driver, Labels, Meta, Version};
pub use network::{Network, NetworkSpec};
pub use node::{Node, NodeSpec};
pub use refusal::{Refusal, RefusalKind};
pub use secret::{Secret, SecretSpec};
pub use service::{Service, ServiceMode, ServiceSpec};
pub use spec::container::ContainerSpec;
pub use spec::task::{Runtime, TaskSpec};
pub use state::TaskState;
pub use task::{Task, TaskStatus};
pub use time::{Duration, Timestamp};
pub use volume::{Volume, VolumeSpec};

/// What a decider is handed besides the draft: the time, and chance.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time.
    pub now: Timestamp,
    /// Chance.
    pub chance: &'a mut Chance,
}
