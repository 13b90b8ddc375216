//! Whatever another replica says, nobody panics, and nobody's log shrinks below what stands for ever.

use std::sync::Arc;

use model::{Chance, Duration, Machine, Timestamp};
use proptest::prelude::{Just, Strategy, any, prop_assert, proptest};
use proptest::{collection, option, prop_oneof};
use skep_raft::{
    Ballot, Body, ConfChange, ConfChangeKind, ConfState, Config, Entry, Input, Message, Output, Payload,
    Position, Replica, Snapshot, SnapshotOutcome, Stored,
};

/// Mostly small numbers, so that some of them fit; now and then the largest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..8_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1), 1 => any::<u64>()]
}

fn position() -> impl Strategy<Value = Position> {
    (number(), number()).prop_map(|(index, term)| Position { index, term })
}

fn payload() -> impl Strategy<Value = Payload> {
    let kind = prop_oneof![
        Just(ConfChangeKind::Add),
        Just(ConfChangeKind::Remove),
        Just(ConfChangeKind::Update),
        Just(ConfChangeKind::AddLearner)
    ];
    let change = |(kind, replica)| ConfChange { id: 0, kind, replica, context: Arc::from([]) };
    prop_oneof![
        Just(Payload::Nothing),
        Just(Payload::Data(Arc::from([1]))),
        (kind, number()).prop_map(change).prop_map(Payload::Change),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry =
        (number(), number(), payload()).prop_map(|(term, index, payload)| Entry { term, index, payload });
    let row = (number(), number(), collection::vec(payload(), 0..4)).prop_map(|(term, first, payloads)| {
        let place = |(behind, payload)| Entry { term, index: first.saturating_add(behind), payload };
        (0..).zip(payloads).map(place).collect()
    });
    prop_oneof![row, collection::vec(entry, 0..3)]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let ids = || collection::btree_set(number(), 0..4).prop_map(|ids| ids.into_iter().collect());
    (number(), number(), ids(), ids()).prop_map(|(index, term, voters, learners)| Snapshot {
        index,
        term,
        members: ConfState { voters, learners },
        data: Arc::from([]),
    })
}

/// A snapshot as this replica's own pump makes it.
fn own_snapshot(index: u64, term: u64) -> Snapshot {
    Snapshot {
        index,
        term,
        members: ConfState { voters: vec![1, 2], learners: vec![3] },
        data: Arc::from([]),
    }
}

fn body() -> impl Strategy<Value = Body> {
    let ballot = || prop_oneof![Just(Ballot::Real), Just(Ballot::Pre)];
    let context = || prop_oneof![Just(vec![0, 0, 0, 0, 0, 0, 0, 1]), collection::vec(any::<u8>(), 0..9)];
    prop_oneof![
        (position(), entries(), number()).prop_map(|(previous, entries, commit)| Body::Append {
            previous,
            entries,
            commit
        }),
        number().prop_map(|index| Body::Appended { index }),
        (number(), position()).prop_map(|(index, hint)| Body::AppendRejected { index, hint }),
        (ballot(), position(), any::<bool>()).prop_map(|(ballot, last, by_transfer)| Body::Vote {
            ballot,
            last,
            by_transfer
        }),
        (ballot(), any::<bool>()).prop_map(|(ballot, granted)| Body::Voted { ballot, granted }),
        snapshot().prop_map(Body::Snapshot),
        (number(), context()).prop_map(|(commit, context)| Body::Heartbeat { commit, context }),
        context().prop_map(|context| Body::HeartbeatHeard { context }),
        Just(Body::TransferLeader),
        Just(Body::TimeoutNow),
        context().prop_map(|context| Body::ReadIndex { context }),
        (number(), context()).prop_map(|(index, context)| Body::ReadIndexKnown { index, context }),
    ]
}

/// What a replica hears; `None` stands for the end of its latest write.
fn input() -> impl Strategy<Value = Option<Input>> {
    let message = (1..4_u64, number(), body())
        .prop_map(|(from, term, body)| Input::Message(Message { from, to: 1, term, body }));
    let outcome = prop_oneof![Just(SnapshotOutcome::Delivered), Just(SnapshotOutcome::Failed)];
    let other = prop_oneof![
        Just(Input::Wake),
        Just(Input::Propose { ticket: 1, data: Arc::from([2]) }),
        number().prop_map(|ticket| Input::Read { ticket }),
        number().prop_map(Input::TransferLeader),
        number().prop_map(Input::Compact),
        number().prop_map(Input::Unreachable),
        (number(), outcome).prop_map(|(to, outcome)| Input::SnapshotSent { to, outcome }),
        (0..8_u64, 0..8_u64).prop_map(|(index, term)| Input::Snapshot(own_snapshot(index, term))),
    ];
    let input = prop_oneof![6 => message, 3 => other];
    option::weighted(0.7, input)
}

proptest! {
    #[test]
    fn nothing_another_replica_says_does_harm(
        voters in collection::btree_set(1..4_u64, 0..4),
        inputs in collection::vec((input(), 0..20_u64), 0..60),
    ) {
        let members = ConfState { voters: voters.into_iter().collect(), learners: Vec::new() };
        let snapshot = Snapshot { index: 2, term: 1, members, data: Arc::from([]) };
        let stored = Stored { snapshot: Some(snapshot), ..Stored::default() };
        let mut now = Timestamp::EPOCH;
        let mut replica = Replica::new(Config::new(1), &stored, Chance::from_number(1), now);
        let mut writing = None;
        let mut committed = replica.commit_index();
        for (input, seconds) in inputs {
            now = now + Duration::from_secs(seconds);
            let Some(input) = input.or_else(|| writing.take().map(Input::Persisted)) else { continue };
            for output in replica.handle(now, input) {
                if let Output::Persist(persist) = output {
                    writing = Some(persist.number);
                }
            }
            prop_assert!(replica.commit_index() >= committed);
            committed = replica.commit_index();
        }
    }
}
