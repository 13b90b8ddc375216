//! What must always hold, one promise for each file.
//!
//! In: the book before and after a commit, and the commit; for what managers promise each other, their logs, disks
//! and books. Out: nothing, or what was seen that must not be.

mod acknowledged;
mod addresses;
mod books;
mod calm;
mod desired;
mod durable;
mod group;
mod logs;
mod moves;
mod node;
mod order;
mod parallelism;
mod ports;
mod quorum;
mod room;
mod secrets;
mod sessions;
mod slots;
mod states;
mod vxlan;

use store::{Change, State};

pub use acknowledged::acknowledged;
pub use books::{books, changes};
pub use calm::calm;
pub use durable::{complete, durable};
pub use group::group;
pub use logs::Logs;
pub use order::order;
pub use quorum::quorum;
pub use secrets::secrets;
pub use sessions::Sessions;

/// A commit.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The book before.
    pub before: &'a State,
    /// The book after.
    pub now: &'a State,
    /// What was committed.
    pub changes: &'a [Change],
}

/// A promise, and how to see whether it holds.
type Check = (&'static str, fn(&View<'_>) -> Result<(), String>);

/// Everything that must hold after each commit.
const AFTER_COMMIT: [Check; 10] = [
    ("a task's state never goes back", states::check),
    ("a task's wish never goes back", desired::check),
    ("a task never changes its node", node::check),
    ("one task of each slot is wanted to run", slots::check),
    ("no address is given twice", addresses::check),
    ("no port is given twice", ports::check),
    ("no VXLAN id is given twice", vxlan::check),
    ("no task is moved needlessly", moves::check),
    ("an update keeps to its parallelism", parallelism::check),
    ("no node is above its resources or max-replicas", room::check),
];

/// Makes all checks; the first that fails is named.
pub fn after_commit(view: &View<'_>) -> Result<(), (&'static str, String)> {
    AFTER_COMMIT.iter().try_for_each(|(name, check)| check(view).map_err(|what| (*name, what)))
}
