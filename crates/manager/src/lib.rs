//! The shell of a manager.
