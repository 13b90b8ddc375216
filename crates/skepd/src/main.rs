//! The daemon: read, build, run, drain.

mod config;
#[allow(dead_code, reason = "main serves it as soon as the node is built")]
mod daemon;
#[allow(dead_code, reason = "main serves it as soon as the node is built")]
mod events;
#[allow(dead_code, reason = "main serves it as soon as the node is built")]
mod http;
#[allow(dead_code, reason = "main serves it as soon as the node is built")]
mod machine;
#[allow(dead_code, reason = "main serves it as soon as the node is built")]
mod standing;

use std::process::ExitCode;

use crate::config::Config;

/// The exit code for wrong settings (`EX_USAGE`).
const WRONG_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let config = match Config::read() {
        Ok(Some(config)) => config,
        Ok(None) => {
            println!("the settings are good");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("skepd: {error:#}");
            return ExitCode::from(WRONG_CONFIG);
        }
    };
    println!("{config:?}");
    ExitCode::SUCCESS
}
