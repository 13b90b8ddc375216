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

/// So many storms rage in an ordinary test; `MIXED=1000` lets more of them rage, `MIXED_SEED=7` only that of one seed.
const STORMS: u64 = 60;
/// On so many threads.
const THREADS: u64 = 2;

#[test]
fn ours_and_theirs_agree_in_every_storm() {
    let (first, last) = match number("MIXED_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("MIXED").unwrap_or(STORMS)),
    };
    let wrecks: Vec<String> = thread::scope(|scope| {
        let rage = |first: u64| move || (first..=last).step_by(THREADS as usize).find_map(wreck);
        let threads: Vec<_> = (first..first + THREADS).map(|first| scope.spawn(rage(first))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a storm panicked")).collect()
    });
    assert!(wrecks.is_empty(), "{}", wrecks.join("\n\n"));
}

/// The number in an environment variable.
fn number(variable: &str) -> Option<u64> {
    let value = std::env::var_os(variable)?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{variable} is a number, not {value:?}")))
}

/// What broke, and what happened before.
fn wreck(seed: u64) -> Option<String> {
    let size = Size { managers: 2 + (seed % 6) as u32, workers: 2, ..Size::of(seed) };
    let mut wreck = storm_of(seed, size, by_turns).err()?;
    wreck.again = format!("MIXED_SEED={seed} cargo test -p skep-sim --test mixed");
    Some(format!("{}\n{wreck}", wreck.story))
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
