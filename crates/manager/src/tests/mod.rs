//! Managers, alone and together. Their leader is a clerk who knows little but configs.

mod alone;
pub(crate) mod clerk;
mod together;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use control::leader::{Answer, Founding, Request};
use model::cluster::{RaftConfig, RootCa};
use model::node::{Certificate, NodeRole, NodeStatus};
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Config, ConfigSpec, Meta, Node, NodeId, NodeSpec,
};
use tokio::sync::{mpsc, watch};

use crate::log::seal::{DataKey, Keys};
use crate::{Beginning, Manager, ManagerConfig, Pace};
use clerk::Clerk;

/// A swarm that stores a snapshot after every 20 entries.
pub(crate) fn founding() -> Founding {
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
    Manager::start_with(config(folder), Beginning::Found(Box::new(founding())), Clerk::new).await.unwrap()
}

fn config(folder: &Path) -> ManagerConfig {
    let (messages, _) = mpsc::channel(1);
    ManagerConfig {
        state_dir: folder.to_owned(),
        raft_id: 9,
        node_id: NodeId::random(&mut Chance::from_number(5)),
        addr: "127.0.0.1:2377".to_owned(),
        cluster: founding().cluster.id,
        keys: Keys::only(DataKey::new([3; 32])),
        pace: Pace::default(),
        tls: nobodys_tls(),
        messages,
    }
}

/// For those who call nobody.
fn nobodys_tls() -> watch::Receiver<Arc<rustls::ClientConfig>> {
    watch::Sender::new(pki::trust::unverified_client()).subscribe()
}

pub(crate) async fn create(manager: &Manager, name: &str) -> Arc<Config> {
    match manager.ask().request(request(name)).await.unwrap() {
        Answer::Config(config) => config,
        other => panic!("{other:?}"),
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

/// A file system with room for eight mebibytes.
pub(crate) struct SmallDisk(pub(crate) tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nothing = None::<&str>;
        let size = Some("size=8m");
        nix::mount::mount(nothing, folder.path(), Some("tmpfs"), nix::mount::MsFlags::empty(), size).unwrap();
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}
