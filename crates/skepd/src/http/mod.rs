//! The Engine API on sockets.
//!
//! In: requests of users, from unix sockets and TCP. Out: answers and streams. The routes translate, ask whoever
//! decides, and translate back; they decide nothing and keep nothing between two requests.

mod error;
mod find;
mod logs;
mod older;
mod progress;
mod remainder;
mod request;
mod respond;
mod routes;
pub(crate) mod server;
mod stream;
mod task_logs;
mod tls;
mod version;

pub(crate) use error::Failure;

#[cfg(test)]
mod tests;
