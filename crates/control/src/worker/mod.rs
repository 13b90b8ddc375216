//! Decides what this machine does next for each of its tasks.

mod input;

pub use input::{Done, Failure, Input, Output, Step};
