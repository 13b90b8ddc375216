//! A manager that serves in this process, founded as a daemon would.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::{Agent, AgentConfig, Credentials, Executor, NullExecutor};
use control::leader::{Answer, Founding, Request, Rotation};
use model::cluster::{JoinTokens, RaftConfig, RootCa};
use model::node::{
    Availability, Certificate, IssuanceState, IssuanceStatus, Membership, NodeRole, NodeState, NodeStatus,
};
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Meta, Node, NodeId, NodeSpec, Refusal, ServiceId,
    ServiceMode, ServiceSpec, TaskSpec,
};
use pki::{Authority, Identity, Issue, JoinToken, Key, Roots};
use skep_manager::services::LogBroker;
use skep_manager::{Beginning, Door, Manager};
use store::State;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::peers::{Peer, Place, follow, open_door, serve, until};

/// A manager that serves, and all that it began with.
pub(crate) struct Swarm {
    pub(crate) manager: Arc<Manager>,
    pub(crate) addr: String,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) tokens: JoinTokens,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) logs: LogBroker,
    pub(crate) door: Door,
    _shells: JoinSet<()>,
}

/// What outlasts a manager.
struct Kept {
    folder: tempfile::TempDir,
    credentials: Arc<Credentials>,
    tokens: JoinTokens,
}

impl Swarm {
    /// A new swarm, as a daemon would found it.
    pub(crate) async fn found() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut chance = host::chance::chance().unwrap();
        let (founding, credentials) = founding(folder.path(), &mut chance);
        let tokens = founding.cluster.root_ca.join_tokens.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kept = Kept { folder, credentials: Arc::new(credentials), tokens };
        Self::serve(kept, listener, Some(founding)).await
    }

    /// The same swarm after its manager's end and new start.
    pub(crate) async fn restart(self) -> Self {
        let Self { manager, addr, credentials, tokens, folder, logs: _, door, _shells } = self;
        assert!(door.close(Duration::from_secs(5)).await);
        assert!(Arc::into_inner(manager).unwrap().stop().await);
        let listener = TcpListener::bind(&addr).await.unwrap();
        Self::serve(Kept { folder, credentials, tokens }, listener, None).await
    }

    async fn serve(kept: Kept, listener: TcpListener, founding: Option<Founding>) -> Self {
        let Kept { folder, credentials, tokens } = kept;
        let addr = listener.local_addr().unwrap().to_string();
        let beginning = founding.map_or(Beginning::Resume, |founding| Beginning::Found(Box::new(founding)));
        let mut shells = JoinSet::new();
        let tls = follow(&credentials, &mut shells);
        let door = open_door(listener, &credentials, &tls);
        let place = Place { folder: folder.path(), addr: &addr, raft_id: 1 };
        let (manager, logs) = serve(&door, &credentials, tls, place, beginning).await;
        manager.settle().await;
        Self { manager, addr, credentials, tokens, folder, logs, door, _shells: shells }
    }

    /// Another manager joins, as a daemon would, by asking the one at `via`.
    pub(crate) async fn join_manager(&self, via: &str) -> Peer {
        Peer::join(via, &self.tokens.manager).await
    }

    pub(crate) fn agent(&self, name: &str, credentials: &Credentials) -> Agent {
        self.agent_with(name, credentials, NullExecutor)
    }

    pub(crate) fn agent_with(&self, name: &str, credentials: &Credentials, executor: impl Executor) -> Agent {
        self.start_agent(name, credentials, (&self.addr, executor))
    }

    /// An agent that knows another manager than the first.
    pub(crate) fn agent_of(&self, name: &str, credentials: &Credentials, manager: &str) -> Agent {
        self.start_agent(name, credentials, (manager, NullExecutor))
    }

    fn start_agent(
        &self,
        name: &str,
        credentials: &Credentials,
        (manager, executor): (&str, impl Executor),
    ) -> Agent {
        let config = AgentConfig {
            node_id: credentials.identity().subject.node_id().unwrap(),
            state_dir: self.folder.path().join(name),
            managers: vec![manager.to_owned()],
            local: watch::Sender::default().subscribe(),
            identity: credentials.subscribe(),
            chance: host::chance::chance().unwrap(),
        };
        Agent::start(config, Arc::new(executor)).unwrap()
    }

    /// A node at work, as a daemon would have it.
    pub(crate) fn live(&self, name: &str, credentials: Arc<Credentials>) -> LiveNode {
        let agent = self.agent(name, &credentials);
        let (news, chance) = (agent.news(), host::chance::chance().unwrap());
        let fresh = Arc::clone(&credentials);
        let mut shells = JoinSet::new();
        shells.spawn(async move { fresh.keep_fresh(news, chance, CancellationToken::new()).await });
        LiveNode { credentials, _agent: agent, _shells: shells }
    }

    /// A worker that joins now and is at work.
    pub(crate) async fn join(&self, name: &str) -> LiveNode {
        let folder = self.folder.path().join(format!("{name}-certificates"));
        let tokens = self.manager.book().state().cluster().unwrap().root_ca.join_tokens.clone();
        let joined = Credentials::join(&folder, &self.addr, &tokens.worker, Availability::Active);
        self.live(name, Arc::new(joined.await.unwrap()))
    }

    /// Gives the swarm other settings.
    pub(crate) async fn update(
        &self,
        rotation: Rotation,
        edit: impl FnOnce(&mut ClusterSpec),
    ) -> Result<(), Refusal> {
        let cluster = self.manager.book().state().cluster().unwrap().clone();
        let (id, version, mut spec) = (cluster.id, cluster.meta.version, Box::new(cluster.spec.clone()));
        edit(&mut spec);
        let request = Request::UpdateCluster { id, version, spec, rotation };
        self.manager.ask().request(request).await.map(drop)
    }

    /// A way to call the manager as this node.
    pub(crate) async fn channel(&self, identity: &Identity) -> Channel {
        let tls = identity.client_tls().unwrap();
        wire::channel::connect(&self.addr, wire::channel::MANAGER_NAME, tls).await.unwrap()
    }

    /// Creates a service of a hundred tasks.
    pub(crate) async fn create_service(&self) -> ServiceId {
        let container = model::ContainerSpec { image: "nothing".to_owned(), ..Default::default() };
        let runtime = model::Runtime::Container(Box::new(container));
        self.create(100, TaskSpec { runtime, ..TaskSpec::default() }).await
    }

    /// Creates a service of so many such tasks.
    pub(crate) async fn create(&self, replicas: u64, task: TaskSpec) -> ServiceId {
        let annotations = Annotations { name: "web".to_owned(), ..Annotations::default() };
        let mode = ServiceMode::Replicated { replicas };
        let spec = ServiceSpec { annotations, mode, task, ..ServiceSpec::default() };
        match self.manager.ask().request(Request::CreateService(Box::new(spec))).await.unwrap() {
            Answer::Service(service) => service.id,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the book is as wished.
    pub(crate) async fn until(&self, wished: impl Fn(&State) -> bool) -> Arc<State> {
        until(&self.manager, wished).await
    }
}

/// A node that speaks and keeps its credentials fresh.
pub(crate) struct LiveNode {
    pub(crate) credentials: Arc<Credentials>,
    _agent: Agent,
    _shells: JoinSet<()>,
}

impl LiveNode {
    pub(crate) fn id(&self) -> NodeId {
        self.credentials.identity().subject.node_id().unwrap()
    }
}

fn founding(folder: &Path, chance: &mut Chance) -> (Founding, Credentials) {
    let now = host::clock::now();
    let authority = Authority::found(now, chance);
    let (cluster_id, node_id) = (ClusterId::random(chance), NodeId::random(chance));
    let key = Key::generate();
    let expiry = Duration::from_secs(90 * 24 * 3600);
    let issue = Issue { node: node_id, cluster: cluster_id, role: NodeRole::Manager, expiry };
    let chain = authority.sign(&key.request(), issue, now, chance).unwrap();
    let root = authority.certificate_pem().to_vec();
    let roots = Roots::from_pem(&root).unwrap();
    let credentials = Credentials::begin(folder, roots, (&chain, &key.to_file()), None, now).unwrap();
    let root_ca = RootCa {
        ca_key: authority.key_pem().to_vec(),
        ca_cert_hash: pki::token::root_hash(&root),
        join_tokens: JoinTokens {
            worker: JoinToken::random(&root, chance).to_string(),
            manager: JoinToken::random(&root, chance).to_string(),
        },
        ca_cert: root,
        ..RootCa::default()
    };
    let annotations = Annotations { name: "default".to_owned(), ..Annotations::default() };
    // Few entries are kept, so that one that was away for a moment gets a snapshot.
    let raft =
        RaftConfig { snapshot_interval: 20, log_entries_for_slow_followers: 5, ..RaftConfig::default() };
    let cluster = Cluster {
        id: cluster_id,
        meta: Meta::default(),
        spec: ClusterSpec { annotations, raft, ..ClusterSpec::default() },
        root_ca,
        network_bootstrap_keys: Vec::new(),
        encryption_key_lamport_clock: 0,
        blacklisted_certificates: BTreeMap::new(),
        unlock_keys: Vec::new(),
        fips: false,
        default_address_pool: Vec::new(),
        subnet_size: 0,
        vxlan_port: 0,
    };
    let status = IssuanceStatus { state: IssuanceState::Issued, err: String::new() };
    let certificate = Certificate { role: NodeRole::Manager, status, ..Certificate::default() };
    (Founding { cluster, node: node(node_id, NodeRole::Manager, certificate) }, credentials)
}

fn node(id: NodeId, role: NodeRole, certificate: Certificate) -> Node {
    Node {
        id,
        meta: Meta::default(),
        spec: NodeSpec {
            annotations: Annotations::default(),
            desired_role: role,
            membership: Membership::Accepted,
            availability: Availability::Active,
        },
        description: None,
        status: NodeStatus::default(),
        manager_status: None,
        attachments: Vec::new(),
        certificate,
        role,
        vxlan_port: 0,
    }
}

pub(crate) fn is_ready(state: &State, node: NodeId) -> bool {
    state.nodes.get(node).is_some_and(|node| node.status.state == NodeState::Ready)
}
