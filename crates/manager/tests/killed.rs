//! A manager in a process of its own, which is killed again and again in the middle of its work.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use control::leader::{Answer, Founding, Request};
use model::cluster::{RaftConfig, RootCa};
use model::node::{Certificate, Membership, NodeRole, NodeStatus};
use model::{Annotations, Chance, Cluster, ClusterId, ClusterSpec, ConfigSpec, Meta, Node, NodeId, NodeSpec};
use skep_manager::log::seal::{DataKey, Keys};
use skep_manager::{Beginning, Manager, ManagerConfig, Pace};
use tokio::sync::{mpsc, watch};

/// What the killed one says for each config that it was told is created.
const CREATED: &str = "created ";
/// Lies in the folder of one that will be killed.
const MARK: &str = "will-be-killed";

fn founding() -> Founding {
    let chance = &mut Chance::from_number(1);
    let annotations = Annotations { name: "default".to_owned(), ..Annotations::default() };
    // Snapshots are taken all the time, so that it is killed during one too.
    let raft = RaftConfig { snapshot_interval: 10, ..RaftConfig::default() };
    let cluster = Cluster {
        id: ClusterId::random(chance),
        meta: Meta::default(),
        spec: ClusterSpec { annotations, raft, ..ClusterSpec::default() },
        root_ca: RootCa::default(),
        network_bootstrap_keys: Vec::new(),
        encryption_key_lamport_clock: 0,
        blacklisted_certificates: BTreeMap::new(),
        unlock_keys: Vec::new(),
        fips: false,
        default_address_pool: Vec::new(),
        subnet_size: 0,
        vxlan_port: 0,
    };
    let spec =
        NodeSpec { desired_role: NodeRole::Manager, membership: Membership::Accepted, ..NodeSpec::default() };
    let node = Node {
        id: node_id(),
        meta: Meta::default(),
        spec,
        description: None,
        status: NodeStatus::default(),
        manager_status: None,
        attachments: Vec::new(),
        certificate: Certificate::default(),
        role: NodeRole::Manager,
        vxlan_port: 0,
    };
    Founding { cluster, node }
}

fn node_id() -> NodeId {
    NodeId::random(&mut Chance::from_number(2))
}

async fn manager(folder: &Path) -> Manager {
    let config = ManagerConfig {
        state_dir: folder.join("raft"),
        raft_id: 1,
        node_id: node_id(),
        addr: "127.0.0.1:2377".to_owned(),
        cluster: ClusterId::random(&mut Chance::from_number(1)),
        keys: Keys::only(DataKey::new([7; 32])),
        pace: Pace { tick: Duration::from_secs(1), ..Pace::default() },
        tls: watch::Sender::new(pki::trust::unverified_client()).subscribe(),
        messages: mpsc::channel(1).0,
    };
    Manager::start(config, Beginning::Found(Box::new(founding()))).await.unwrap()
}

/// Creates configs in the folder it runs in, as fast as it can, and says so, until it is killed.
#[tokio::test]
#[ignore = "is started by the test below, to be killed"]
async fn one_that_is_killed() {
    if !Path::new(MARK).exists() {
        return; // Nobody is there to kill it.
    }
    let manager = manager(Path::new(".")).await;
    let mut chance = host::chance::chance().unwrap();
    loop {
        let name = format!("config-{}", chance.number());
        let annotations = Annotations { name, ..Annotations::default() };
        let spec = ConfigSpec { annotations, data: b"text".to_vec(), ..ConfigSpec::default() };
        match manager.ask().request(Request::CreateConfig(Box::new(spec))).await.unwrap() {
            Answer::Config(config) => println!("{CREATED}{}", config.id),
            other => panic!("{other:?}"),
        }
    }
}

/// Starts one, kills it once it has created so many, and returns what it said.
fn kill_after(folder: &Path, count: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_that_is_killed", "--ignored", "--nocapture"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut created = Vec::new();
    for line in lines {
        let Ok(line) = line else { break };
        // The test harness begins the first line itself.
        let Some((_, id)) = line.split_once(CREATED) else { continue };
        if id.len() == node_id().as_str().len() {
            created.push(id.to_owned()); // The last line may be cut off.
        }
        if created.len() as u64 == count {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(created.len() as u64 >= count, "it ended before it was killed");
    created
}

#[tokio::test]
async fn a_killed_manager_has_forgotten_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(MARK), "").unwrap();
    let mut chance = Chance::from_number(3);
    let mut created = BTreeSet::new();
    for round in 0..6 {
        created.extend(kill_after(folder.path(), 1 + chance.below(60)));
        let manager = manager(folder.path()).await;
        let state = manager.book().state();
        let known: BTreeSet<String> = state.configs.iter().map(|config| config.id.to_string()).collect();
        assert!(known.is_superset(&created), "round {round}: {:?}", created.difference(&known));
        assert!(manager.stop().await);
    }
}
