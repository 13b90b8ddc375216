//! The book: the swarm's state as one immutable value.
//!
//! In: changes, in the order the log gives them. Out: snapshots, which cost nothing to hold, and events that
//! say what each change did. Nothing here decides, waits or locks.

mod change;
mod draft;
mod object;
mod state;
mod table;
mod weight;

pub use change::{Change, Event};
pub use draft::Draft;
pub use object::{Key, Kind, Object, Stored};
pub use state::State;
pub use table::Table;
