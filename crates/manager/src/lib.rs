//! The shell of a manager.

pub mod ask;
pub mod desk;
pub mod log;
