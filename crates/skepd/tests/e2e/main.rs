//! The house stands: real daemons, real containers, the stock docker CLI.

mod host;
mod same_words;
mod services;
mod swarm;
