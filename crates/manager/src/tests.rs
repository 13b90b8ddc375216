//! A manager alone: what it acknowledged is there after any end. The leader is a clerk who knows little but configs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use control::leader::{Answer, Founding, Input, Output, Request, Ticket};
use model::cluster::{RaftConfig, RootCa};
use model::node::{Certificate, NodeRole, NodeStatus};
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Config, ConfigId, ConfigSpec, Duration, Machine,
    Meta, Node, NodeId, NodeSpec, Refusal, Timestamp,
};
use store::{Draft, State};
use tokio::sync::mpsc;

use crate::log::seal::{DataKey, Keys};
use crate::{Manager, ManagerConfig};

/// Creates configs, as many as were asked for in one proposal.
struct Clerk {
    state: State,
    chance: Chance,
    asked: Vec<(Ticket, Request)>,
    /// Who waits for what is proposed: a config, or only that it is done.
    proposed: Option<Vec<(Ticket, Option<ConfigId>)>>,
}

impl Clerk {
    fn new(state: State, _now: Timestamp) -> Self {
        let chance = Chance::from_number(state.index);
        Self { state, chance, asked: Vec::new(), proposed: None }
    }

    fn propose(&mut self, now: Timestamp) -> Vec<Output> {
        if self.proposed.is_some() || self.asked.is_empty() {
            return Vec::new();
        }
        let mut draft = Draft::of(&self.state, now);
        let mut proposed = Vec::new();
        let mut outputs = Vec::new();
        for (ticket, request) in self.asked.drain(..) {
            match request {
                Request::Found(founding) => {
                    if draft.cluster().is_none() {
                        draft.create(founding.cluster);
                    }
                    proposed.push((ticket, None));
                }
                Request::CreateConfig(spec) => {
                    let id = ConfigId::random(&mut self.chance);
                    draft.create(Config { id, spec: *spec, meta: Default::default() });
                    proposed.push((ticket, Some(id)));
                }
                _ => outputs.push(Output::Answer(ticket, Err(Refusal::invalid("only configs")))),
            }
        }
        if draft.is_empty() {
            outputs.extend(proposed.into_iter().map(|(ticket, _)| Output::Answer(ticket, Ok(Answer::Done))));
        } else {
            self.proposed = Some(proposed);
            outputs.push(Output::Propose(draft.into_changes()));
        }
        outputs
    }
}

impl Machine for Clerk {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Ask(ticket, request) => self.asked.push((ticket, request)),
            Input::Committed(state) => {
                self.state = *state;
                for (ticket, id) in self.proposed.take().unwrap_or_default() {
                    let config = |id| self.state.configs.get(id).expect("what was proposed is committed");
                    let answer = id.map_or(Answer::Done, |id| Answer::Config(Arc::clone(config(id))));
                    outputs.push(Output::Answer(ticket, Ok(answer)));
                }
            }
            Input::Session(..) | Input::Signed(..) | Input::Wake => {}
        }
        outputs.extend(self.propose(now));
        outputs
    }

    fn wake_at(&self) -> Option<Timestamp> {
        None
    }
}

fn request(name: &str) -> Request {
    let annotations = Annotations { name: name.to_owned(), ..Annotations::default() };
    Request::CreateConfig(Box::new(ConfigSpec {
        annotations,
        data: b"text".to_vec(),
        ..ConfigSpec::default()
    }))
}

/// A swarm that stores a snapshot after every 20 entries.
fn founding() -> Founding {
    let chance = &mut Chance::from_number(4);
    let raft =
        RaftConfig { snapshot_interval: 20, log_entries_for_slow_followers: 5, ..RaftConfig::default() };
    let cluster = Cluster {
        id: ClusterId::random(chance),
        meta: Meta::default(),
        spec: ClusterSpec { raft, ..ClusterSpec::default() },
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
    let node = Node {
        id: NodeId::random(chance),
        meta: Meta::default(),
        spec: NodeSpec::default(),
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

/// A manager with its log in this folder, which has founded its group.
async fn manager(folder: &Path) -> Manager {
    let (messages, _) = mpsc::channel(1);
    let config = ManagerConfig {
        state_dir: folder.to_owned(),
        raft_id: 9,
        node_id: NodeId::random(&mut Chance::from_number(5)),
        addr: "127.0.0.1:2377".to_owned(),
        keys: Keys::only(DataKey::new([3; 32])),
        tick: Duration::from_millis(100),
        messages,
    };
    Manager::start_with(config, Some(founding()), Clerk::new).await.unwrap()
}

async fn create(manager: &Manager, name: &str) -> Arc<Config> {
    match manager.ask().request(request(name)).await.unwrap() {
        Answer::Config(config) => config,
        other => panic!("{other:?}"),
    }
}

/// Returns when this manager leads; by then everything stored is in the book.
async fn until_led(manager: &Manager) {
    let mut leadership = manager.ask().leadership();
    leadership.wait_for(|leadership| *leadership == crate::Leadership::Here).await.unwrap();
}

/// What a machine that falls now leaves on its disk.
fn fallen(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

#[tokio::test]
async fn what_is_answered_is_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let config = create(&manager, "one").await;
    assert_eq!(manager.book().state().configs.get(config.id), Some(&config));
    assert!(manager.stop().await);
}

#[tokio::test]
async fn what_was_answered_survives_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let first = manager(folder.path()).await;
    let mut created = Vec::new();
    for number in 0..50 {
        created.push(create(&first, &format!("config-{number}")).await);
    }
    let copy = fallen(folder.path());
    let second = manager(copy.path()).await;
    until_led(&second).await;
    let state = second.book().state();
    for config in created {
        assert_eq!(state.configs.get(config.id), Some(&config));
    }
    assert_eq!(second.book().members().borrow().present[&9].addr, "127.0.0.1:2377");
}

#[tokio::test]
async fn old_entries_make_way_for_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let manager = manager(folder.path()).await;
        for number in 0..50 {
            create(&manager, &format!("config-{round}-{number}")).await;
        }
        assert!(manager.stop().await);
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    let snapshots = names.iter().filter(|name| name.to_string_lossy().starts_with("snapshot-")).count();
    let logs = names.iter().filter(|name| name.to_string_lossy().starts_with("log-")).count();
    assert_eq!((snapshots, logs), (1, 1), "{names:?}");
    let manager = manager(folder.path()).await;
    assert_eq!(manager.book().state().configs.len(), 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Arc::new(manager(folder.path()).await);
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..16 {
        let manager = Arc::clone(&manager);
        askers.spawn(async move {
            for number in 0..50 {
                create(&manager, &format!("config-{asker}-{number}")).await;
            }
        });
    }
    askers.join_all().await;
    assert_eq!(manager.book().state().configs.len(), 800);
    let copy = fallen(folder.path());
    let again = super::tests::manager(copy.path()).await;
    until_led(&again).await;
    assert_eq!(again.book().state().configs.len(), 800);
}

#[tokio::test]
async fn the_feed_tells_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let mut feed = manager.book().feed().unwrap();
    let config = create(&manager, "one").await;
    match feed.recv().await.unwrap() {
        crate::book::News::Changed { events, state } => {
            assert_eq!(*events, [store::Event::Created(store::Object::Config(Arc::clone(&config)))]);
            assert_eq!(state.configs.get(config.id), Some(&config));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_is_left_waiting_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let ask = manager.ask().clone();
    create(&manager, "one").await;
    assert!(manager.stop().await);
    assert_eq!(ask.request(request("two")).await.unwrap_err(), Refusal::no_leader());
}

#[tokio::test]
async fn a_swarm_is_founded_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = manager(folder.path()).await;
    create(&first, "one").await;
    assert!(first.stop().await);
    let second = manager(folder.path()).await;
    until_led(&second).await;
    assert_eq!(second.book().state().configs.len(), 1);
}
