//! A group in fair weather: elections, joins, handovers, snapshots, reads.

use crate::cluster::Cluster;
use model::Machine;
use skep_raft::{Body, ConfChangeKind, Input, Lead, Message, Output, Refused};

fn all_know(cluster: &mut Cluster, index: u64) {
    let knows = |cluster: &Cluster| cluster.nodes.keys().all(|id| cluster.known(*id) >= index);
    assert!(cluster.run_until(60_000, knows), "seed {}: not everyone knows {index}", cluster.seed);
}

#[test]
fn three_agree() {
    let mut cluster = Cluster::of(3, 1);
    for ticket in 1..=50 {
        cluster.propose(1, ticket);
    }
    let last = cluster.known(1) + 50;
    all_know(&mut cluster, last);
}

#[test]
fn another_leads_when_the_leader_falls() {
    let mut cluster = Cluster::of(3, 2);
    cluster.crash(1);
    assert!(cluster.run_until(60_000, |cluster| matches!(cluster.leader(), Some(2 | 3))));
    let leader = cluster.leader().expect("elected");
    cluster.propose(leader, 1);
    cluster.restart(1);
    let last = cluster.known(leader) + 1;
    all_know(&mut cluster, last);
}

#[test]
fn a_leader_without_a_majority_steps_down() {
    let mut cluster = Cluster::of(3, 3);
    cluster.split(&[1]);
    cluster.run(25_000);
    assert!(matches!(cluster.nodes[&1].lead, Some(Lead::Nobody { .. })), "{:?}", cluster.nodes[&1].lead);
}

#[test]
fn leadership_is_handed_over() {
    let mut cluster = Cluster::of(3, 4);
    cluster.input(1, Input::TransferLeader(3));
    assert!(cluster.run_until(1_000, |cluster| cluster.leader() == Some(3)));
}

#[test]
fn a_follower_passes_the_wish_for_a_handover_on() {
    let mut cluster = Cluster::of(3, 5);
    cluster.input(2, Input::TransferLeader(2));
    assert!(cluster.run_until(1_000, |cluster| cluster.leader() == Some(2)));
}

#[test]
fn a_handover_to_the_dead_is_given_up() {
    let mut cluster = Cluster::of(3, 6);
    cluster.crash(3);
    cluster.input(1, Input::TransferLeader(3));
    cluster.propose(1, 9);
    let refused = Output::Refused { ticket: 9, why: Refused::HandingOver };
    assert_eq!(cluster.nodes[&1].answers.last(), Some(&refused));
    cluster.run(11_000);
    cluster.propose(1, 10);
    assert!(matches!(cluster.nodes[&1].answers.last(), Some(Output::Accepted { ticket: 10, .. })));
}

#[test]
fn a_leader_that_hands_over_does_not_say_that_it_may_propose() {
    let mut cluster = Cluster::of(3, 15);
    cluster.crash(3);
    cluster.input(1, Input::TransferLeader(3));
    assert!(matches!(cluster.nodes[&1].lead, Some(Lead::Elected { .. })), "{:?}", cluster.nodes[&1].lead);
    cluster.run(11_000);
    assert!(matches!(cluster.nodes[&1].lead, Some(Lead::Established { .. })), "{:?}", cluster.nodes[&1].lead);
}

#[test]
fn an_answer_to_a_reader_of_an_earlier_life_is_nobodys() {
    let mut cluster = Cluster::of(3, 16);
    cluster.input(2, Input::Read { ticket: 77 });
    cluster.crash(2);
    cluster.restart(2);
    cluster.run(100);
    let answers = &cluster.nodes[&2].answers;
    assert!(!answers.iter().any(|answer| matches!(answer, Output::Readable { .. })), "{answers:?}");
}

#[test]
fn one_far_behind_gets_a_snapshot() {
    let mut cluster = Cluster::of(3, 7);
    cluster.crash(3);
    for ticket in 1..=40 {
        cluster.propose(1, ticket);
    }
    cluster.run(1_000);
    cluster.compact(1);
    cluster.restart(3);
    let last = cluster.known(1);
    all_know(&mut cluster, last);
    assert!(cluster.nodes[&3].disk.snapshot.is_some());
}

#[test]
fn only_one_change_at_a_time() {
    let mut cluster = Cluster::of(3, 8);
    cluster.change(ConfChangeKind::Remove, 3);
    cluster.change(ConfChangeKind::Remove, 2);
    let refused = Output::Refused { ticket: 0, why: Refused::ChangePending };
    assert_eq!(cluster.nodes[&1].answers.last(), Some(&refused));
}

#[test]
fn a_leader_may_remove_itself() {
    let mut cluster = Cluster::of(3, 9);
    cluster.change(ConfChangeKind::Remove, 1);
    assert!(cluster.run_until(60_000, |cluster| matches!(cluster.leader(), Some(2 | 3))));
    let leader = cluster.leader().expect("elected");
    let members = cluster.nodes[&leader].replica.as_ref().expect("runs").members().clone();
    assert_eq!(members.voters, [2, 3]);
}

#[test]
fn the_last_of_two_goes_on_alone() {
    let mut cluster = Cluster::of(2, 10);
    cluster.change(ConfChangeKind::Remove, 2);
    cluster.run(1_000);
    cluster.propose(1, 1);
    let last = cluster.known(1) + 1;
    assert!(cluster.run_until(1_000, |cluster| cluster.known(1) == last));
}

#[test]
fn a_change_of_address_leaves_the_group_as_it_is() {
    let mut cluster = Cluster::of(3, 11);
    cluster.change(ConfChangeKind::Update, 2);
    let last = cluster.known(1) + 1;
    all_know(&mut cluster, last);
    assert_eq!(cluster.nodes[&3].replica.as_ref().expect("runs").members().voters, [1, 2, 3]);
}

#[test]
fn readers_anywhere_are_answered_by_a_majority() {
    let mut cluster = Cluster::of(3, 12);
    for reader in 1..=3 {
        cluster.read(reader, 77);
        cluster.run(100);
        let answer = cluster.nodes[&reader].answers.last();
        assert!(matches!(answer, Some(Output::Readable { ticket: 77, .. })), "{reader}: {answer:?}");
    }
}

/// Whether a leader answers a follower at once that asks from this reign.
fn answers_at_once(cluster: &mut Cluster, leader: u64, follower: u64, term: u64) -> bool {
    let context = [5, 7, term].map(u64::to_be_bytes).concat();
    let question = Message { from: follower, to: leader, term: 0, body: Body::ReadIndex { context } };
    let now = cluster.now;
    let leader = cluster.nodes.get_mut(&leader).and_then(|node| node.replica.as_mut()).expect("runs");
    let is_answer =
        |output: &Output| matches!(output, Output::Send(Message { body: Body::ReadIndexKnown { .. }, .. }));
    leader.handle(now, Input::Message(question)).iter().any(is_answer)
}

#[test]
fn a_leader_tells_other_replicas_only_of_what_is_committed() {
    let mut cluster = Cluster::of(3, 18);
    cluster.crash(1);
    let elected = |cluster: &Cluster| {
        cluster.nodes.iter().find_map(|(id, node)| match node.lead {
            Some(Lead::Elected { term }) => Some((*id, term)),
            _ => None,
        })
    };
    assert!(cluster.run_until(60_000, |cluster| elected(cluster).is_some()));
    let (leader, term) = elected(&cluster).expect("somebody is");
    let follower = 5 - leader;
    assert!(!answers_at_once(&mut cluster, leader, follower, term), "its first entry might still be lost");
    let stands = |cluster: &Cluster| matches!(cluster.nodes[&leader].lead, Some(Lead::Established { .. }));
    assert!(cluster.run_until(60_000, stands));
    assert!(answers_at_once(&mut cluster, leader, follower, term));
}

#[test]
fn a_follower_confirms_the_leader_whom_it_asks() {
    let answers_at_once = |size, terms_ago| {
        let mut cluster = Cluster::of(size, 17);
        let term = cluster.nodes[&1].disk.hard_state.term;
        cluster.trust_ends(1);
        answers_at_once(&mut cluster, 1, 2, term - terms_ago)
    };
    assert!(answers_at_once(3, 0));
    assert!(!answers_at_once(3, 1), "it may have followed another leader since");
    assert!(!answers_at_once(5, 0), "two of five are too few");
}

#[test]
fn a_leader_cut_off_answers_no_reader() {
    let mut cluster = Cluster::of(3, 13);
    cluster.trust_ends(1);
    cluster.input(1, Input::Read { ticket: 77 });
    cluster.run(40_000);
    let refused = Output::Refused { ticket: 77, why: Refused::NotLeader };
    assert_eq!(cluster.nodes[&1].answers.last(), Some(&refused));
}

#[test]
fn asking_before_an_election_spares_the_reign() {
    let mut cluster = Cluster::found(14);
    cluster.pre_vote = true;
    cluster.crash(1);
    cluster.restart(1);
    cluster.run(1_000);
    cluster.join(2);
    cluster.join(3);
    let before = cluster.nodes[&1].disk.hard_state.term;
    cluster.split(&[3]);
    cluster.run(120_000);
    cluster.cut.clear();
    cluster.run(30_000);
    assert_eq!(cluster.nodes[&1].disk.hard_state.term, before);
    assert_eq!(cluster.nodes[&3].disk.hard_state.term, before);
}
