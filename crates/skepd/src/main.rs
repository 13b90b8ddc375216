//! The daemon: read, build, run, drain.

mod config;
mod connect;
mod daemon;
mod events;
mod executor;
mod feed;
mod house;
mod http;
mod machine;
mod memory;
mod node;
mod notify;
mod pidfile;
mod standing;

use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Config;
use crate::house::House;
use crate::pidfile::PidFile;

/// The exit code for wrong settings (`EX_USAGE`).
const WRONG_CONFIG: u8 = 64;
/// What a thread of the runtime needs: no recursion goes deep.
const STACK_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let config = match Config::read() {
        Ok(Some(config)) => config,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skepd: {error:#}");
            return ExitCode::from(WRONG_CONFIG);
        }
    };
    log(&config);
    match start(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skepd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Our own words at the wished level; guests only warn.
fn log(config: &Config) {
    let ours = Targets::new().with_default(LevelFilter::WARN).with_target("skep", config.log_level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

fn start(config: Config) -> Result<()> {
    let _pidfile = PidFile::take(&config.pidfile)?;
    raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    runtime.context("starting the runtime")?.block_on(run(config))
}

/// Each container and each client needs a few file descriptors; what the kernel grants is taken.
fn raise_file_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, most, most)
    {
        warn!("the bound of open files stays as it is: {error}");
    }
}

/// Builds the house, lives in it until a signal comes, and closes it again.
async fn run(config: Config) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to signals")?;
    let notify = config.notify_socket.clone();
    let house = House::build(config).await?;
    notify::ready(notify.as_deref());
    info!("ready");
    tokio::select! {
        _ = terminate.recv() => info!("asked to end"),
        _ = interrupt.recv() => info!("asked to end"),
    }
    notify::stopping(notify.as_deref());
    house.close().await;
    Ok(())
}
