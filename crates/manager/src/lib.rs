//! The shell of a manager.

pub mod log;
