//! Everyone applies the same entries in the same order.

use raft::Entry;

/// `committed` is what was applied by anyone so far, from index 1.
pub fn order(committed: &[Entry], entry: &Entry) -> Result<(), String> {
    let place = entry.index as usize - 1;
    match committed.get(place) {
        Some(known) if known == entry => Ok(()),
        Some(known) => Err(format!("applied {entry:?} where {known:?} stands")),
        None if place == committed.len() => Ok(()),
        None => Err(format!("applied {} before anyone has committed {}", entry.index, committed.len() + 1)),
    }
}
