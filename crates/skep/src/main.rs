//! The command line: docker's grammar, for hosts without that CLI.

mod client;
mod output;

fn main() {}
