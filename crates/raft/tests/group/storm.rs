//! A group in bad weather: loss, echo, reordering, partitions, crashes, changes of the group; then calm.
//!
//! What must hold is checked by the cluster itself at every step: one leader in each reign, all apply the same
//! entries in the same order, and none before it is on disk. `SEED=7 cargo test -p skep-raft storm`
//! repeats one run.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, Weather};
use skep_raft::{ConfChangeKind, Entry, Input, Output, Payload};

#[test]
fn a_storm_loses_nothing() {
    let seeds = match option_env!("SEED").map(str::parse) {
        Some(Ok(seed)) => seed..=seed,
        _ => 1..=300,
    };
    for seed in seeds {
        storm(seed);
    }
}

fn storm(seed: u64) {
    let size = 3 + seed % 3;
    let mut cluster = Cluster::of(size, seed);
    cluster.pre_vote = seed.is_multiple_of(2);
    cluster.weather = Weather { loss: 20 + seed % 100, echo: 30, delay: 1 + seed % 40 };
    let mut acknowledged = BTreeSet::new();
    let mut ticket = 1;
    for _ in 0..60 {
        strike(&mut cluster, size);
        for _ in 0..cluster.chance.below(8) {
            if let Some(leader) = cluster.leader() {
                cluster.propose(leader, ticket);
                ticket += 1;
            }
            let reader = 1 + cluster.chance.below(size);
            cluster.read(reader, ticket);
            ticket += 1;
        }
        let millis = cluster.chance.below(3_000);
        cluster.run(millis);
        acknowledged.extend(cluster.truth.iter().filter_map(ticket_of));
    }
    calm(&mut cluster, size);
    let kept: BTreeSet<u64> = cluster.truth.iter().filter_map(ticket_of).collect();
    assert!(kept.is_superset(&acknowledged), "seed {seed}: lost something");
    assert!(!kept.is_empty(), "seed {seed}: nothing was ever committed");
}

/// One thing goes wrong, or is mended.
fn strike(cluster: &mut Cluster, size: u64) {
    let id = 1 + cluster.chance.below(size);
    match cluster.chance.below(12) {
        0 | 1 => cluster.crash(id),
        2 | 3 if cluster.nodes[&id].replica.is_none() => cluster.restart(id),
        4 => cluster.split(&[id]),
        5 => cluster.split(&[id, 1 + id % size]),
        6 | 7 => cluster.cut.clear(),
        8 => cluster.compact(id),
        9 => cluster.input(cluster.leader().unwrap_or(id), Input::TransferLeader(id)),
        10 => cluster.change(ConfChangeKind::Update, id),
        11 => {
            let kind = if cluster.chance.one_in(1, 2) { ConfChangeKind::Remove } else { ConfChangeKind::Add };
            let spare = size; // Only the last one comes and goes, so that there is always a group.
            cluster.change(kind, spare);
        }
        _ => {}
    }
}

/// Everything is mended: soon all must know the same.
fn calm(cluster: &mut Cluster, size: u64) {
    cluster.weather = Weather { loss: 0, echo: 0, delay: 5 };
    cluster.cut.clear();
    for id in 1..=size {
        if cluster.nodes[&id].replica.is_none() {
            cluster.restart(id);
        }
    }
    let seed = cluster.seed;
    cluster.run(60_000); // One that was away with a later reign may still force one more election.
    assert!(
        cluster.run_until(200_000, |cluster| cluster.leader().is_some()),
        "seed {seed}: no leader in calm"
    );
    let leader = cluster.leader().unwrap_or_else(|| panic!("seed {seed}: no leader in calm"));
    cluster.propose(leader, u64::MAX);
    let answer = cluster.nodes[&leader].answers.last();
    assert!(matches!(answer, Some(Output::Accepted { .. })), "seed {seed}: {answer:?}");
    cluster.run(30_000);
    let members = cluster.nodes[&leader].replica.as_ref().expect("runs").members().clone();
    for id in members.all() {
        assert_eq!(cluster.known(id), cluster.known(leader), "seed {seed}: {id} is behind, {members:?}");
    }
}

fn ticket_of(entry: &Entry) -> Option<u64> {
    match &entry.payload {
        Payload::Data(data) => Some(std::str::from_utf8(data).ok()?.parse().ok()?),
        Payload::Nothing | Payload::Change(_) => None,
    }
}
