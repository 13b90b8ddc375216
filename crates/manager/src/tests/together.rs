//! Three managers in one process, whose messages travel as bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::leader::Answer;
use model::{Chance, Config, Duration, NodeId, Refusal, RefusalKind};
use prost::Message as _;
use raft::{Body, ConfChangeKind, ReplicaId, SnapshotOutcome};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::{Member, OnWire, raftpb};

use super::clerk::Clerk;
use super::{SmallDisk, create, founding, nobodys_tls};
use crate::log::seal::{DataKey, Keys};
use crate::log::writer::Room;
use crate::{Beginning, Group, Leadership, Manager, ManagerConfig, Pace};

/// Managers and the wires between them.
struct Managers {
    folders: BTreeMap<ReplicaId, TempDir>,
    running: BTreeMap<ReplicaId, Manager>,
    sent: mpsc::Sender<raft::Message>,
    switchboard: mpsc::Sender<(ReplicaId, Option<Group>)>,
    /// How patient those are that start.
    pace: Pace,
    _wires: JoinSet<()>,
}

impl Managers {
    /// The first manager has founded the swarm.
    async fn found() -> Self {
        let (sent, messages) = mpsc::channel(4_096);
        let (switchboard, switches) = mpsc::channel(16);
        let mut wires = JoinSet::new();
        wires.spawn(carry(messages, switches));
        let (folders, running) = (BTreeMap::new(), BTreeMap::new());
        let mut managers = Self { folders, running, sent, switchboard, pace: PACE, _wires: wires };
        managers.start(1, Beginning::Found(Box::new(founding()))).await;
        managers
    }

    async fn start(&mut self, id: ReplicaId, beginning: Beginning) {
        let folder = self.folders.entry(id).or_insert_with(|| tempfile::tempdir().unwrap());
        let folder = folder.path().to_owned();
        self.run(id, &folder, beginning).await;
    }

    /// Starts one whose log is elsewhere.
    async fn start_in(&mut self, id: ReplicaId, folder: PathBuf) {
        self.run(id, &folder, Beginning::Resume).await;
    }

    async fn run(&mut self, id: ReplicaId, folder: &Path, beginning: Beginning) {
        let config = ManagerConfig { pace: self.pace, ..config(id, folder, self.sent.clone()) };
        let manager = Manager::start_with(config, beginning, Clerk::new).await.unwrap();
        self.switchboard.send((id, Some(manager.group().clone()))).await.unwrap();
        self.running.insert(id, manager);
    }

    async fn stop(&mut self, id: ReplicaId) {
        self.switchboard.send((id, None)).await.unwrap();
        assert!(self.running.remove(&id).unwrap().stop().await);
    }

    /// Starts a manager and adds it to the group.
    async fn join(&mut self, id: ReplicaId) {
        self.start(id, Beginning::Resume).await;
        let leader = self.leader().await;
        self.running[&leader].group().put_member(&member(id), ConfChangeKind::Add).await.unwrap();
    }

    /// Whoever leads, as soon as somebody does.
    async fn leader(&self) -> ReplicaId {
        let mut watching = JoinSet::new();
        for (id, manager) in &self.running {
            let (id, mut leadership) = (*id, manager.ask().leadership());
            watching.spawn(async move {
                leadership.wait_for(|leadership| *leadership == Leadership::Here).await.unwrap();
                id
            });
        }
        timeout(PATIENCE, watching.join_next()).await.expect("somebody leads in time").unwrap().unwrap()
    }

    /// Returns when every running manager has this config in its book.
    async fn until_all_know(&self, config: &Arc<Config>) {
        for manager in self.running.values() {
            let mut states = manager.book().watch();
            let known = states.wait_for(|state| state.configs.get(config.id) == Some(config));
            timeout(PATIENCE, known).await.expect("known in time").unwrap();
        }
    }
}

fn config(id: ReplicaId, folder: &Path, messages: mpsc::Sender<raft::Message>) -> ManagerConfig {
    let Member { raft_id, node_id, addr } = member(id);
    let keys = Keys::only(DataKey::new([3; 32]));
    ManagerConfig {
        state_dir: folder.to_owned(),
        raft_id,
        node_id,
        addr,
        cluster: founding().cluster.id,
        keys,
        pace: PACE,
        tls: nobodys_tls(),
        messages,
    }
}

fn member(id: ReplicaId) -> Member {
    let node_id = NodeId::random(&mut Chance::from_number(id));
    Member { raft_id: id, node_id, addr: format!("10.0.0.{id}:2377") }
}

/// Carries messages as bytes to those who are there.
async fn carry(
    mut messages: mpsc::Receiver<raft::Message>,
    mut switches: mpsc::Receiver<(ReplicaId, Option<Group>)>,
) {
    let mut groups: BTreeMap<ReplicaId, Group> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            Some((id, group)) = switches.recv() => match group {
                Some(group) => drop(groups.insert(id, group)),
                None => drop(groups.remove(&id)),
            },
            Some(message) = messages.recv() => deliver(&groups, &message).await,
            else => return,
        }
    }
}

async fn deliver(groups: &BTreeMap<ReplicaId, Group>, message: &raft::Message) {
    let is_snapshot = matches!(message.body, Body::Snapshot(_));
    let wire = raftpb::Message::decode(message.to_wire().encode_to_vec().as_slice()).unwrap();
    let outcome = match groups.get(&message.to) {
        Some(group) => {
            group.hear(raft::Message::from_wire(wire).unwrap()).await;
            SnapshotOutcome::Delivered
        }
        None => SnapshotOutcome::Failed,
    };
    let Some(sender) = groups.get(&message.from) else { return };
    if is_snapshot {
        sender.snapshot_sent(message.to, outcome).await;
    } else if outcome == SnapshotOutcome::Failed {
        sender.unreachable(message.to).await;
    }
}

#[tokio::test]
async fn a_joiner_gets_the_whole_book() {
    let mut managers = Managers::found().await;
    let mut last = create(&managers.running[&1], "first").await;
    for number in 0..600 {
        last = create(&managers.running[&1], &format!("config-{number}")).await;
    }
    managers.join(2).await;
    managers.join(3).await;
    managers.until_all_know(&last).await;
    let books: Vec<_> = managers.running.values().map(|manager| manager.book().state()).collect();
    assert!(books.iter().all(|book| book.configs == books[0].configs));
    assert_eq!(managers.running[&3].book().members().borrow().present.len(), 3);
}

#[tokio::test]
async fn another_leads_when_one_falls_and_it_catches_up_later() {
    let mut managers = Managers::found().await;
    managers.join(2).await;
    managers.join(3).await;
    let before = create(&managers.running[&1], "before").await;
    managers.until_all_know(&before).await;

    managers.stop(1).await;
    let leader = managers.leader().await;
    assert_ne!(leader, 1);
    let meanwhile = create(&managers.running[&leader], "meanwhile").await;
    managers.start(1, Beginning::Resume).await;
    managers.until_all_know(&meanwhile).await;
    managers.until_all_know(&before).await;
}

#[tokio::test]
async fn every_manager_shows_at_once_what_any_has_acknowledged() {
    let mut managers = Managers::found().await;
    managers.join(2).await;
    managers.join(3).await;
    for round in 0..4 {
        let fallen = managers.leader().await;
        managers.stop(fallen).await;
        let leader = managers.leader().await;
        // More than what is left of the log, so that the one that comes back gets a snapshot first.
        let mut created = Vec::new();
        for number in 0..60 {
            created.push(create(&managers.running[&leader], &format!("config-{round}-{number}")).await);
        }
        managers.start(fallen, Beginning::Resume).await;
        for id in [fallen, leader, 6 - fallen - leader] {
            let book = managers.running[&id].ask().read().await.unwrap();
            let missing = created.iter().filter(|config| book.configs.get(config.id).is_none()).count();
            assert_eq!(missing, 0, "manager {id}, which was asked after {fallen} came back");
        }
    }
}

#[tokio::test]
async fn a_leader_that_hears_nobody_shows_nothing() {
    let mut managers = Managers::found().await;
    managers.join(2).await;
    managers.join(3).await;
    let one = create(&managers.running[&1], "one").await;
    managers.until_all_know(&one).await;
    managers.switchboard.send((1, None)).await.unwrap();
    let refusal = managers.running[&1].ask().read().await.unwrap_err();
    assert_eq!(refusal, Refusal::no_leader());
    let leader = managers.leader().await;
    assert_ne!(leader, 1);
    let two = create(&managers.running[&leader], "two").await;
    managers.switchboard.send((1, Some(managers.running[&1].group().clone()))).await.unwrap();
    let mut leadership = managers.running[&1].ask().leadership();
    let led = leadership.wait_for(|leadership| matches!(leadership, Leadership::There(_)));
    timeout(PATIENCE, led).await.expect("it hears the others again in time").unwrap();
    let book = managers.running[&1].ask().read().await.unwrap();
    assert_eq!(book.configs.get(two.id), Some(&two));
}

#[tokio::test]
async fn leadership_is_handed_over_and_the_old_leader_says_so() {
    let mut managers = Managers::found().await;
    managers.join(2).await;
    managers.join(3).await;
    let config = create(&managers.running[&1], "one").await;
    managers.until_all_know(&config).await;
    managers.running[&1].group().transfer_leader(3).await;
    let mut leadership = managers.running[&1].ask().leadership();
    let moved = leadership.wait_for(|leadership| *leadership == Leadership::There(3));
    timeout(PATIENCE, moved).await.unwrap().unwrap();
    let refusal = managers.running[&1].ask().request_of_this(super::request("two")).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    let two = create(&managers.running[&3], "two").await;
    managers.until_all_know(&two).await;
}

#[tokio::test]
async fn a_leader_that_hands_over_before_it_stops_is_not_waited_for() {
    let mut managers = Managers::found().await;
    // With such patience nobody notices in time that a leader has gone.
    managers.pace = Pace { election_ticks: 100_000, ..PACE };
    managers.join(2).await;
    managers.join(3).await;
    let before = create(&managers.running[&1], "before").await;
    managers.until_all_know(&before).await;
    managers.running[&1].hand_over().await;
    managers.stop(1).await;
    let leader = managers.leader().await;
    let after = create(&managers.running[&leader], "after").await;
    managers.until_all_know(&after).await;
}

#[tokio::test]
async fn the_last_manager_goes_on_alone() {
    let mut managers = Managers::found().await;
    managers.join(2).await;
    let config = create(&managers.running[&1], "one").await;
    managers.until_all_know(&config).await;
    managers.running[&1].group().remove_member(2).await.unwrap();
    managers.stop(2).await;
    create(&managers.running[&1], "two").await;
    assert!(managers.running[&1].book().members().borrow().removed.contains(&2));
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_follower_whose_disk_is_full_holds_nobody_up_and_catches_up() {
    let disk = SmallDisk::new();
    let mut managers = Managers::found().await;
    managers.join(2).await;
    managers.start_in(3, disk.0.path().join("raft")).await;
    managers.running[&1].group().put_member(&member(3), ConfChangeKind::Add).await.unwrap();
    let before = create(&managers.running[&1], "before").await;
    managers.until_all_know(&before).await;

    let ballast = disk.0.path().join("ballast");
    assert!(std::fs::write(&ballast, vec![1; 16 << 20]).is_err(), "the ballast takes all the room there is");
    let mut room = managers.running[&3].ask().room();
    let mut number = 0;
    let last = loop {
        number += 1;
        let name = format!("{number}-{}", "x".repeat(60_000));
        let leader = managers.leader().await;
        let created = managers.running[&leader].ask().request(super::request(&name)).await;
        match created {
            Ok(Answer::Config(created)) if *room.borrow_and_update() == Room::None => break created,
            Ok(_) => {}
            // So slow a machine may lose its leader meanwhile.
            Err(refusal) => assert_eq!(refusal.kind, RefusalKind::Unavailable, "{refusal}"),
        }
    };
    assert_eq!(managers.running[&3].book().state().configs.get(before.id), Some(&before), "readers go on");

    std::fs::remove_file(&ballast).unwrap();
    timeout(PATIENCE, room.wait_for(|room| *room == Room::Enough)).await.unwrap().unwrap();
    managers.until_all_know(&last).await;
    managers.stop(3).await;
}

/// How patient managers usually are here.
const PACE: Pace = Pace { tick: Duration::from_millis(50), heartbeat_ticks: 1, election_ticks: 10 };
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);
