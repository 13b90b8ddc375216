//! Storms over many seeds. `SEED=0x2a` repeats one.

use skep_sim::{Size, storm};

/// So many storms rage in an ordinary test.
const STORMS: u64 = 12;

#[test]
fn storm_breaks_nothing() {
    let seeds: Vec<u64> = match std::env::var_os("SEED") {
        Some(seed) => {
            let text = seed.to_string_lossy();
            let digits = text.strip_prefix("0x").unwrap_or("not hexadecimal");
            vec![u64::from_str_radix(digits, 16).or_else(|_| text.parse()).unwrap()]
        }
        None => (1..=STORMS).collect(),
    };
    for seed in seeds {
        if let Err(wreck) = storm(seed, Size::default()) {
            panic!("{wreck}");
        }
    }
}
