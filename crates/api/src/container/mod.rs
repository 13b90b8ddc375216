//! Containers of one node.

mod answer;
mod config;
mod create;
mod files;
mod inspect;
mod place;
mod summary;

pub use answer::{ContainerUpdated, ContainersPruned, WaitError, WaitResponse};
pub use config::{ContainerConfig, Empty};
pub use create::{ContainerCreate, ContainerCreated, NetworkingConfig};
pub use files::{Change, PathStat, go_mode};
pub use inspect::{ContainerInspect, ContainerState, GraphDriver, Health, HealthResult, MountPoint};
pub use place::{EndpointIpam, EndpointSettings, NetworkSettings};
pub use summary::{ContainerSummary, Port, SummaryHostConfig, SummaryNetworkSettings};
