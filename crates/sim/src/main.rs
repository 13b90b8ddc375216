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
    /// How many machines begin as managers, if not as many as the seed says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    managers: Option<u32>,
    /// How many machines there are besides, if not as many as the seed says
    #[arg(long)]
    workers: Option<u32>,
    /// How many seconds each storm rages, if not as many as the seed says
    #[arg(long)]
    seconds: Option<u64>,
    /// Goes on after a wreck, and counts them
    #[arg(long)]
    keep_going: bool,
}

impl Options {
    fn size(&self, seed: u64) -> Size {
        let Size { managers, workers, time } = Size::of(seed);
        Size {
            managers: self.managers.unwrap_or(managers),
            workers: self.workers.unwrap_or(workers),
            time: self.seconds.map_or(time, Duration::from_secs),
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let (mut wrecks, mut entries, mut questions) = (0_u64, 0, 0);
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        match storm(seed, options.size(seed)) {
            Ok(passed) => {
                entries += passed.entries;
                questions += passed.questions;
            }
            Err(wreck) => {
                eprintln!("{wreck}");
                wrecks += 1;
                if !options.keep_going {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    println!("{} storms, {entries} entries, {questions} questions: {wrecks} wrecks", options.seeds);
    if wrecks == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
