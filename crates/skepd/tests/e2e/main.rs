//! The house stands: real daemons, real containers, the stock docker CLI.

mod containers;
mod faults;
mod files;
mod host;
mod pty;
mod same_words;
mod services;
mod swarm;
mod terminal;
mod tls;
