//! The command line: docker's grammar, for hosts without that CLI.
//!
//! In: words. Out: requests to a daemon, and what a person wants to see of the answers. Each command is a struct
//! that parses itself and runs; nothing is global.
#![expect(
    rustdoc::broken_intra_doc_links,
    reason = "help texts write optional parts in brackets, as docker's do"
)]

mod client;
mod commands;
mod compose;
mod credentials;
mod ended;
mod options;
mod output;
mod session;
mod signals;
mod terminal;

use std::io::{self, Write};
use std::process::ExitCode;

use api::ApiVersion;
use clap::Parser;

use crate::client::{Client, Host, TlsFlags};
use crate::commands::Command;
use crate::ended::Ended;
use crate::session::Session;

/// Drives a swarm, with the grammar of the docker CLI.
#[derive(Debug, Parser)]
#[command(name = "skep", version, max_term_width = 100, propagate_version = true)]
pub(crate) struct Skep {
    /// The daemon to speak with: unix:///path or tcp://address:port
    #[arg(
        short = 'H',
        long,
        env = "DOCKER_HOST",
        value_name = "ADDRESS",
        default_value = client::USUAL,
        hide_env_values = true
    )]
    host: Host,
    #[command(flatten)]
    tls: TlsFlags,
    /// The version of the API to speak; else the newest that the daemon knows too
    #[arg(long, env = "DOCKER_API_VERSION", value_name = "VERSION", hide = true)]
    api_version: Option<ApiVersion>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let Skep { host, tls, api_version, command } = match Skep::try_parse() {
        Ok(skep) => skep,
        Err(error) => return misread(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let tls = match tls.chosen() {
        Ok(tls) => tls,
        Err(error) => return failed(&error),
    };
    let mut session = Session::new(Client::new(host, tls, api_version));
    let ended = runtime.block_on(command.run(&mut session));
    // Reading standard input blocks a thread; nobody waits for it any more.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// The words make no sense, or ask for help.
fn misread(error: &clap::Error) -> ExitCode {
    // Nothing is left to do if even this cannot be written.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(ended::REFUSED) } else { ExitCode::SUCCESS }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let (code, words) = match error.downcast_ref::<Ended>() {
        Some(Ended { code, message }) => (ExitCode::from(*code), message.clone()),
        None => (ExitCode::FAILURE, format!("{error:#}")),
    };
    if !words.is_empty() {
        // Nothing is left to do if even this cannot be written.
        let _ = writeln!(io::stderr(), "{words}");
    }
    code
}

/// A reader that has seen enough, such as `head`, is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_known_through_every_layer() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&broken().into()));
        assert!(is_broken_pipe(&crate::output::format::FormatError::from(broken()).into()));
        assert!(!is_broken_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn the_grammar_is_sound() {
        Skep::command().debug_assert();
    }

    /// Every command that does something, with the words that lead to it.
    fn leaves(command: &clap::Command, path: &str, all: &mut Vec<(String, clap::Command)>) {
        let path = format!("{path} {}", command.get_name());
        match command.has_subcommands() {
            true => command.get_subcommands().for_each(|below| leaves(below, &path, all)),
            false => all.push((path, command.clone())),
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_flag_a_sentence() {
        let mut all = Vec::new();
        leaves(&Skep::command(), "", &mut all);
        for (path, command) in all.iter().filter(|(_, command)| !command.is_hide_set()) {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("Example"), "{path} has no example");
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(arg.get_help().is_some(), "{path}: {} says nothing", arg.get_id());
            }
        }
    }
}
