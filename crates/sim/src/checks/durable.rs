//! What is committed is on the disks of a majority; and whoever is elected has all of it.

use raft::{ConfState, Entry, ReplicaId};

use crate::disk::Disk;
use crate::truth::Fresh;

/// To be asked when an entry is committed.
pub fn durable<'a>(fresh: &Fresh, disk: impl Fn(ReplicaId) -> Option<&'a Disk>) -> Result<(), String> {
    let holds = |id: &&ReplicaId| disk(**id).is_some_and(|disk| disk.holds(&fresh.entry));
    let is_safe = |group: &ConfState| {
        let holders = group.voters.iter().filter(holds).count();
        holders > group.voters.len() / 2
    };
    if fresh.groups.iter().any(is_safe) {
        return Ok(());
    }
    Err(format!("{} is committed by {:?} and not on most disks", fresh.entry.index, fresh.groups))
}

/// To be asked of whoever was elected.
pub fn complete(committed: &[Entry], disk: &Disk) -> Result<(), String> {
    match committed.iter().rev().find(|entry| !disk.holds(entry)) {
        None => Ok(()),
        Some(lost) => Err(format!("{} was elected without entry {}", disk.replica, lost.index)),
    }
}
