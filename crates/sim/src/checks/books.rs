//! Every manager's book is the same at the same index.

use store::{Change, State};

/// Compares two whole books.
pub fn books(truth: &State, book: &State) -> Result<(), String> {
    if truth == book { Ok(()) } else { Err(format!("its book of {} differs", book.index)) }
}

/// Looks whether a book shows what an entry has just changed.
pub fn changes(changes: &[Change], book: &State) -> Result<(), String> {
    match changes.iter().find(|change| !book.holds(change)) {
        None => Ok(()),
        Some(change) => Err(format!("its book of {} lacks {:?}", book.index, change.object().kind())),
    }
}
