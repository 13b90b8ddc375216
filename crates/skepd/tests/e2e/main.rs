//! The house stands: real daemons, real containers, the stock docker CLI.

mod containers;
mod files;
mod host;
mod same_words;
mod services;
mod swarm;
