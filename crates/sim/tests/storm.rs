//! Storms over many seeds, half of them on each of two threads.

use std::thread;

use skep_sim::storm::Passed;
use skep_sim::tally::Blow;
use skep_sim::{Size, Wreck, storm};

/// So many storms rage in an ordinary test.
const STORMS: u64 = 300;
/// On so many threads.
const THREADS: u64 = 2;

#[test]
fn storms_bring_all_they_promise_and_break_nothing() {
    let whole = thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS).map(|first| scope.spawn(move || rage(first))).collect();
        threads.into_iter().fold(Passed::default(), |mut whole, thread| {
            let half = thread.join().expect("a storm panicked");
            whole += half.unwrap_or_else(|wreck| panic!("{wreck}"));
            whole
        })
    });
    for blow in Blow::ALL {
        let storms = whole.tally.storms(blow);
        assert!(storms >= STORMS / 20, "{}: only in {storms} storms", blow.words());
    }
}

/// Every so manyth storm, from this one on.
fn rage(first: u64) -> Result<Passed, Box<Wreck>> {
    let mut whole = Passed::default();
    for seed in (first..=STORMS).step_by(THREADS as usize) {
        whole += storm(seed, Size::of(seed))?;
    }
    Ok(whole)
}
