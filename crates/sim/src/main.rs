//! Storms, one seed after the other, until something breaks.

use std::process::ExitCode;

use clap::Parser;
use model::Duration;
use skep_sim::{Size, storm};

/// Lets storms rage over a pretended swarm, and says what broke
#[derive(Debug, Parser)]
#[command(name = "skep-sim")]
struct Options {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to try
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many workers there are besides the manager
    #[arg(long, default_value_t = 5)]
    workers: u32,
    /// How many minutes each storm rages
    #[arg(long, default_value_t = 2)]
    minutes: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let size = Size { workers: options.workers, time: Duration::from_secs(options.minutes * 60) };
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        if let Err(wreck) = storm(seed, size) {
            eprintln!("{wreck}");
            return ExitCode::FAILURE;
        }
    }
    println!("{} storms, and nothing broke", options.seeds);
    ExitCode::SUCCESS
}
