//! If two logs have an entry of the same index and reign, they are the same up to it.
//!
//! That holds everywhere if it holds for each entry and the one before it.

use std::collections::BTreeMap;

use raft::{Entry, Index, Payload, Position, Term};

/// Every entry that was ever on a disk, and the reign of the one before it.
#[derive(Debug, Default)]
pub struct Logs {
    seen: BTreeMap<(Index, Term), (Term, Payload)>,
}

impl Logs {
    /// Takes in entries that were put on a disk, behind this one.
    pub fn note(&mut self, before: Position, entries: &[Entry]) -> Result<(), String> {
        let mut last = before.term;
        for Entry { term, index, payload } in entries {
            let seen = self.seen.entry((*index, *term)).or_insert_with(|| (last, payload.clone()));
            if *seen != (last, payload.clone()) {
                return Err(format!(
                    "entry {index} of reign {term} is {payload:?} behind reign {last}, elsewhere {seen:?}"
                ));
            }
            last = *term;
        }
        Ok(())
    }
}
