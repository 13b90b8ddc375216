//! The ground: the only reading of the time, the only drawing of chance, files that are whole or not there,
//! the pump that drives a machine, and the way down.

pub mod chance;
pub mod clock;
pub mod files;
pub mod pump;
pub mod shutdown;
