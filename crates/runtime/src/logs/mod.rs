//! The output of containers, as it is kept.

pub mod options;
