//! A group of one: the straight path, without a network.

use std::sync::Arc;

use crate::cluster::Cluster;
use model::{Chance, Machine, Timestamp};
use skep_raft::{Config, Input, Lead, Output, Payload, Persist, Replica, Stored};

/// A founder that has been woken, and what it wished.
fn founder() -> (Replica, Vec<Output>) {
    let stored = Stored::founding(7, Arc::from(&b"context"[..]));
    let mut replica = Replica::new(Config::new(7), &stored, Chance::from_number(1), Timestamp::EPOCH);
    assert_eq!(replica.wake_at(), Some(Timestamp::EPOCH));
    let outputs = replica.handle(Timestamp::EPOCH, Input::Wake);
    (replica, outputs)
}

fn persist(outputs: &[Output]) -> &Persist {
    match outputs {
        [Output::Persist(persist), ..] => persist,
        other => panic!("expected a write first, got {other:?}"),
    }
}

/// A leader at rest.
fn leader() -> Replica {
    let (mut replica, outputs) = founder();
    let outputs = replica.handle(Timestamp::EPOCH, Input::Persisted(persist(&outputs).number));
    let outputs = replica.handle(Timestamp::EPOCH, Input::Persisted(persist(&outputs).number));
    assert_eq!(outputs.last(), Some(&Output::Lead(Lead::Established { term: 2 })));
    replica
}

fn propose(replica: &mut Replica, ticket: u64) -> Vec<Output> {
    replica.handle(Timestamp::EPOCH, Input::Propose { ticket, data: Arc::from(&b"data"[..]) })
}

#[test]
fn a_founder_campaigns_at_once() {
    let (_, outputs) = founder();
    let promises = persist(&outputs).hard_state;
    assert_eq!((promises.term, promises.vote, promises.commit), (2, 7, 1));
    assert!(matches!(&outputs[1], Output::Commit(commit) if commit.members.voters == [7]), "{outputs:?}");
}

#[test]
fn a_leader_alone_sleeps() {
    assert_eq!(leader().wake_at(), None);
}

#[test]
fn one_write_is_enough_for_a_proposal() {
    let mut replica = leader();
    let outputs = propose(&mut replica, 1);
    assert!(
        matches!(outputs.as_slice(), [Output::Persist(_), Output::Accepted { ticket: 1, .. }]),
        "{outputs:?}"
    );
    let outputs = replica.handle(Timestamp::EPOCH, Input::Persisted(persist(&outputs).number));
    assert!(matches!(outputs.as_slice(), [Output::Commit(_)]), "{outputs:?}");
}

#[test]
fn proposals_during_a_write_share_the_next() {
    let mut replica = leader();
    let first = propose(&mut replica, 1);
    for ticket in 2..=100 {
        assert!(matches!(propose(&mut replica, ticket).as_slice(), [Output::Accepted { .. }]));
    }
    let second = replica.handle(Timestamp::EPOCH, Input::Persisted(persist(&first).number));
    assert_eq!(persist(&second).entries.len(), 99);
    assert!(matches!(&second[1], Output::Commit(commit) if commit.entries.len() == 1));
    let third = replica.handle(Timestamp::EPOCH, Input::Persisted(persist(&second).number));
    assert!(matches!(third.as_slice(), [Output::Commit(commit)] if commit.entries.len() == 99));
}

#[test]
fn a_reader_alone_is_answered_at_once() {
    let outputs = leader().handle(Timestamp::EPOCH, Input::Read { ticket: 4 });
    assert_eq!(outputs, [Output::Readable { ticket: 4, index: 2 }]);
}

#[test]
fn everything_acknowledged_survives_a_crash() {
    let mut cluster = Cluster::found(3);
    cluster.run(100);
    for ticket in 1..=20 {
        cluster.propose(1, ticket);
    }
    cluster.run(100);
    let before = cluster.nodes[&1].applied.clone();
    cluster.crash(1);
    cluster.restart(1);
    cluster.run(100);
    assert_eq!(cluster.nodes[&1].applied[..before.len()], before);
    assert_eq!(cluster.leader(), Some(1));
    let data = |entry: &&skep_raft::Entry| matches!(entry.payload, Payload::Data(_));
    assert_eq!(before.iter().filter(data).count(), 20);
}

#[test]
fn one_that_joins_without_a_group_waits() {
    let mut replica =
        Replica::new(Config::new(7), &Stored::default(), Chance::from_number(1), Timestamp::EPOCH);
    assert_eq!(replica.handle(Timestamp::EPOCH, Input::Wake), []);
    assert_eq!(replica.wake_at(), None);
}
