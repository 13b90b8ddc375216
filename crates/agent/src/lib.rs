//! The shell of a worker.
