//! Storms over many seeds, half of them on each of two threads.

use std::thread;

use skep_sim::{Size, storm};

/// So many storms rage in an ordinary test.
const STORMS: u64 = 300;
/// On so many threads.
const THREADS: u64 = 2;

#[test]
fn storms_break_nothing() {
    let wrecks: Vec<String> = thread::scope(|scope| {
        let rage = |first: u64| move || (first..=STORMS).step_by(THREADS as usize).find_map(wreck);
        let threads: Vec<_> = (1..=THREADS).map(|first| scope.spawn(rage(first))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a storm panicked")).collect()
    });
    assert!(wrecks.is_empty(), "{}", wrecks.join("\n\n"));
}

fn wreck(seed: u64) -> Option<String> {
    storm(seed, Size::of(seed)).err().map(|wreck| wreck.to_string())
}
