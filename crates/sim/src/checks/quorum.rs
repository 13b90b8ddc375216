//! No dismissal takes away the majority that could still be reached.

use raft::{ConfState, ReplicaId};

/// To be asked when a removal is proposed. `is_there` says who of the group can be reached for some time already.
pub fn quorum(
    group: &ConfState,
    removed: ReplicaId,
    is_there: impl Fn(ReplicaId) -> bool,
) -> Result<(), String> {
    let left: Vec<ReplicaId> = group.voters.iter().copied().filter(|id| *id != removed).collect();
    let there = left.iter().filter(|id| is_there(**id)).count();
    if there > left.len() / 2 {
        return Ok(());
    }
    Err(format!("without {removed}, {there} of {} can be reached", left.len()))
}
