//! Holds one container's pipes, log and exit code while the daemon comes and goes.
//!
//! In: a plan on the command line, a socket to the daemon as standard input. Out: the container, through the OCI
//! runtime; its log; a socket for all who want to talk with it; its exit, in a file and to the daemon. It decides
//! nothing: whether a container is stopped, restarted or removed is the daemon's to say.
//!
//! One thread, and next to no memory, since there is one such process for each container.

mod client;
mod input;
mod launch;
mod log;
mod plan;
mod supervisor;
mod sys;

use std::process::ExitCode;

use plan::Plan;
use supervisor::Supervisor;

fn main() -> ExitCode {
    sys::detach();
    let done = Plan::parse(std::env::args().skip(1)).and_then(|plan| {
        Supervisor::start(plan).map(Supervisor::run).map_err(|error| format!("starting: {error}"))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("skep-supervise: {sentence}");
            ExitCode::FAILURE
        }
    }
}
