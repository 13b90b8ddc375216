//! Storms over groups in which our replicas vote beside those of the `raft` crate: both must agree, entry by entry.

mod foreign;
mod letters;

use std::thread;

use model::{Chance, Machine, Timestamp};
use raft::{Config, Replica, Stored};
use skep_sim::manager::Orderer;
use skep_sim::storm::storm_of;
use skep_sim::{NodeNumber, Size};

use foreign::Foreign;

/// So many storms rage in an ordinary test; `MIXED=1000` lets more of them rage.
const STORMS: u64 = 60;
/// On so many threads.
const THREADS: u64 = 2;

#[test]
fn ours_and_theirs_agree_in_every_storm() {
    let storms = std::env::var_os("MIXED").and_then(|storms| storms.to_string_lossy().parse().ok());
    let storms = storms.unwrap_or(STORMS);
    let wrecks: Vec<String> = thread::scope(|scope| {
        let rage = |first: u64| move || (first..=storms).step_by(THREADS as usize).find_map(wreck);
        let threads: Vec<_> = (1..=THREADS).map(|first| scope.spawn(rage(first))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a storm panicked")).collect()
    });
    assert!(wrecks.is_empty(), "{}", wrecks.join("\n\n"));
}

fn wreck(seed: u64) -> Option<String> {
    let size = Size { managers: 2 + (seed % 6) as u32, workers: 2, ..Size::of(seed) };
    storm_of(seed, size, by_turns).err().map(|wreck| format!("mixed seed {seed}: {wreck}"))
}

/// Every second machine has a replica of the other kind.
fn by_turns(
    number: NodeNumber,
    config: Config,
    stored: &Stored,
    chance: Chance,
    now: Timestamp,
) -> Box<Orderer> {
    match number.0 % 2 {
        0 => Box::new(Replica::new(config, stored, chance, now)) as Box<dyn Machine<Input = _, Output = _>>,
        _ => Box::new(Foreign::new(&config, stored, chance, now)),
    }
}
