//! Reading by the leader's word: as long as nobody else can lead, and no longer.

use crate::cluster::Cluster;
use skep_raft::{Input, Output, ReplicaId};

/// Whether somebody who wants to read there is answered at once.
fn answers_at_once(cluster: &mut Cluster, reader: ReplicaId) -> bool {
    let before = cluster.nodes[&reader].answers.len();
    cluster.read(reader, 77);
    let answers = &cluster.nodes[&reader].answers[before..];
    answers.iter().any(|answer| matches!(answer, Output::Readable { ticket: 77, .. }))
}

/// A group whose leader is replica 1, which lends to those who read: to replica 3.
fn lending(seed: u64) -> Cluster {
    let mut cluster = Cluster::of(3, seed);
    assert!(!answers_at_once(&mut cluster, 3), "nothing is lent to one who never wished to read");
    cluster.run(2_500);
    assert!(answers_at_once(&mut cluster, 3));
    cluster
}

#[test]
fn a_leader_answers_at_once_while_a_majority_promises() {
    let mut cluster = Cluster::of(3, 1);
    assert!(answers_at_once(&mut cluster, 1));
    cluster.split(&[1]);
    cluster.run(6_000);
    assert!(answers_at_once(&mut cluster, 1), "nobody else can lead yet");
    cluster.run(3_000);
    assert!(!answers_at_once(&mut cluster, 1), "somebody else might");
}

#[test]
fn a_follower_answers_at_once_while_it_reads_now_and_then() {
    let mut cluster = lending(2);
    for _ in 0..10 {
        cluster.run(5_000);
        assert!(answers_at_once(&mut cluster, 3));
    }
    cluster.run(60_000);
    assert!(!answers_at_once(&mut cluster, 3), "it did not read for a while");
}

#[test]
fn a_follower_that_knows_of_something_undecided_asks() {
    let mut cluster = lending(3);
    cluster.propose(1, 5);
    let known = cluster.known(1);
    assert!(cluster.run_until(100, |cluster| cluster.nodes[&3].disk.entries.last().unwrap().index > known));
    assert!(!answers_at_once(&mut cluster, 3));
    cluster.run(100);
    assert!(answers_at_once(&mut cluster, 3));
}

#[test]
fn nothing_stands_that_a_reader_lacks() {
    let mut cluster = lending(4);
    cluster.run(1_500);
    cluster.split(&[3]);
    let known = cluster.known(1);
    cluster.propose(1, 5);
    cluster.run(1_000);
    assert_eq!(cluster.known(1), known, "replica 3 would not show it");
    assert!(answers_at_once(&mut cluster, 3), "what it knows is still all there is");
    assert!(cluster.run_until(11_000, |cluster| cluster.known(1) > known), "it waits for ever");
    assert!(!answers_at_once(&mut cluster, 3));
}

#[test]
fn one_that_has_promised_keeps_it_over_its_restart() {
    let another_leads = |cluster: &Cluster| matches!(cluster.leader(), Some(2 | 3));
    for seed in 20..40 {
        let mut cluster = Cluster::of(3, seed);
        cluster.split(&[3]);
        cluster.run(12_000); // Replica 3 has lost its patience.
        cluster.cut.clear();
        cluster.split(&[1]);
        cluster.crash(2);
        cluster.restart(2);
        assert!(!cluster.run_until(9_900, another_leads), "seed {seed}: the leader relies on replica 2");
        assert!(cluster.run_until(60_000, another_leads), "seed {seed}: nobody is elected");
    }
}

#[test]
fn a_handover_waits_until_nothing_is_lent() {
    let mut cluster = lending(6);
    let before = cluster.now;
    cluster.input(1, Input::TransferLeader(2));
    assert!(cluster.run_until(12_000, |cluster| cluster.leader() == Some(2)));
    assert!(
        cluster.now.since(before).as_secs() >= 5,
        "replica 3 could still read by the former leader's word"
    );
    assert!(!answers_at_once(&mut cluster, 3), "that was another leader");
}
