//! Chance as an argument.
//!
//! All random draws of the pure crates come from a [`Chance`], which is seeded from outside: by `host` from
//! the kernel, by the simulator from a number. Ids and tokens must not be guessable, so it is a cipher stream.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded generator of random draws.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha20Rng);

impl Chance {
    /// A generator whose draws nobody can foretell without the seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A generator for tests and the simulator: the same number, the same draws.
    pub fn from_number(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `bound - 1`; 0 when `bound` is 0. The bias is below one in 2^32 for any bound used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64 }
    }

    /// True in `part` of `whole` draws.
    pub fn one_in(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// Random bytes, for ids and tokens.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
