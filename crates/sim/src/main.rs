//! Storms, one seed after the other, until something breaks.

mod costs;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use model::Duration;
use skep_sim::failover::{Fall, failover};
use skep_sim::scale::Trial;
use skep_sim::storm::Passed;
use skep_sim::tally::Blow;
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
    /// Lets leaders fall instead, one in each seed, and says how long it takes until another has taken a write
    #[arg(long)]
    failover: bool,
    /// Lets a large swarm fill and lose a tenth of its workers instead, and says what that costs
    #[arg(long)]
    scale: bool,
    /// How many tasks the large swarm runs
    #[arg(long, default_value_t = 20_000)]
    tasks: usize,
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
    if options.failover {
        return said(fall(&options));
    }
    if options.scale {
        return said(grow(&options));
    }
    let mut wrecks = 0_u64;
    let mut whole = Passed::default();
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        match storm(seed, options.size(seed)) {
            Ok(passed) => whole += passed,
            Err(wreck) => {
                eprintln!("{}\n{wreck}", wreck.story);
                wrecks += 1;
                if !options.keep_going {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let Passed { entries, questions, tally } = whole;
    for blow in Blow::ALL {
        println!("{:>9} {}, in {} storms", tally.times(blow), blow.words(), tally.storms(blow));
    }
    println!("{} storms, {entries} entries, {questions} questions: {wrecks} wrecks", options.seeds);
    if wrecks == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lets leaders fall in every way, and prints how long it takes.
fn fall(options: &Options) -> Result<(), Box<dyn Error>> {
    let managers = options.managers.unwrap_or(3);
    for how in [Fall::Kill, Fall::Cut] {
        let seeds = options.seed..options.seed.saturating_add(options.seeds);
        let mut times = seeds.map(|seed| failover(seed, managers, how)).collect::<Result<Vec<_>, _>>()?;
        times.sort_unstable();
        let part = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
        println!(
            "{how:?}, {managers} managers, {} falls: median {} ms, p95 {} ms, p99 {} ms, most {} ms",
            times.len(),
            part(50),
            part(95),
            part(99),
            part(100)
        );
    }
    Ok(())
}

/// Lets a large swarm fill and lose workers, and prints what each step takes.
fn grow(options: &Options) -> Result<(), Box<dyn Error>> {
    let workers = options.workers.unwrap_or(1_000);
    println!("one manager, {workers} workers, {} tasks", options.tasks);
    let mut trial = Trial::begin(workers, options.tasks, options.seed);
    for step in Trial::STEPS {
        let (begin, entries) = (costs::processor_time()?, trial.entries());
        let time = (step.run)(&mut trial)?.as_secs_f64();
        let work = costs::processor_time()?.saturating_sub(begin).as_secs_f64();
        println!(
            "{}: {time:.1} s of the swarm's time, {work:.2} s of a processor ({:.0} % of one), {} entries",
            step.name,
            work / time * 100.0,
            trial.entries() - entries
        );
    }
    println!("peak memory: {} MiB", costs::memory_peak()?);
    Ok(())
}

fn said(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
