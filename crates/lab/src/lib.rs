//! Hosts on one machine, to try swarms on: each with namespaces, control groups and files of its own, joined by a
//! switch whose cables can be cut.
//!
//! In: which hosts there shall be, and what shall befall them. Out: hosts with a daemon, `skepd` or a stock
//! `dockerd`, and the two command lines to speak with it. Nothing of a lab stays when it ends, however it ends: see
//! `machine.sh`. It needs root, and makes nothing outside of namespaces but one folder and control groups.

mod api;
mod command;
mod daemon;
mod holder;
mod home;
mod host;
mod image;
mod laboratory;
mod machine;
mod patience;
mod switch;
mod trouble;

pub use api::Api;
pub use daemon::Make;
pub use host::Host;
pub use image::BUSYBOX;
pub use laboratory::Lab;
pub use patience::{PATIENCE, until};
pub use trouble::{Result, Trouble};
