//! The output of containers, as it is kept.
//!
//! The supervisor of each container writes it; here it is read, also while it is being written.

pub mod line;
pub mod options;
pub mod read;

pub use line::LogLine;
pub use read::{Follow, LogQuery};
