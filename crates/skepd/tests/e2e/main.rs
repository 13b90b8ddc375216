//! The house stands: real daemons, real containers, the stock docker CLI.

mod host;
mod services;
mod swarm;
