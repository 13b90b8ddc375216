//! Holds one container's pipes, log and exit code while the daemon comes and goes.

fn main() {}
