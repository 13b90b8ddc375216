//! The tongue with users: the JSON of the Docker Engine API.
//!
//! Every shape that crosses the socket, one file per noun, each with its translation to and from `model` at the
//! bottom of the file. The server and the command line use the same types. What is here decides nothing and does
//! no IO.

pub mod base64;
pub mod config;
pub mod container;
pub mod error;
pub mod event;
pub mod exec;
pub mod filter;
pub mod host_config;
pub mod image;
pub mod json;
pub mod meta;
pub mod name;
pub mod network;
pub mod node;
pub mod secret;
pub mod service;
pub mod spec;
pub mod stats;
pub mod swarm;
pub mod system;
pub mod task;
pub mod template;
pub mod time;
pub mod version;
pub mod volume;

pub use error::ApiError;
pub use filter::Filters;
pub use json::{Malformed, read};
pub use time::Time;
pub use version::ApiVersion;
