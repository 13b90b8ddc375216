//! Messages over real connections: three managers, each behind its own door.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use model::node::NodeRole;
use model::{Chance, ClusterId, Duration, NodeId};
use pki::{Authority, Identity, Issue, Key, Roots};
use raft::{Body, ConfChangeKind, ConfState, Message, ReplicaId, Snapshot};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use wire::ours::Heard;
use wire::ours::line_server::{Line, LineServer};
use wire::proto::health_check_response::ServingStatus;
use wire::proto::health_server::{Health, HealthServer};
use wire::proto::raft_server::{Raft, RaftServer};
use wire::proto::{
    HealthCheckRequest, HealthCheckResponse, ProcessRaftMessageRequest, ProcessRaftMessageResponse,
    ResolveAddressRequest, ResolveAddressResponse, StreamRaftMessageRequest, StreamRaftMessageResponse,
};
use wire::{Member, OnWire, raftpb};

use super::call::chunks;
use super::incoming::append;
use super::{Incoming, Outgoing};
use crate::log::seal::{DataKey, Keys};
use crate::tests::clerk::Clerk;
use crate::tests::{create, founding};
use crate::{Beginning, Leadership, Manager, ManagerConfig, Pace};

/// A swarm's authority, which lets managers speak.
struct Swarm {
    /// Whether its managers know lasting calls; stock ones do not.
    talks: bool,
    authority: Authority,
    cluster: ClusterId,
    chance: Chance,
}

/// A manager with its door.
struct Node {
    manager: Manager,
    member: Member,
    _folder: tempfile::TempDir,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// The door: passes messages on.
#[derive(Clone)]
struct Door(Incoming);

#[tonic::async_trait]
impl Raft for Door {
    async fn process_raft_message(
        &self,
        request: Request<ProcessRaftMessageRequest>,
    ) -> Result<Response<ProcessRaftMessageResponse>, Status> {
        self.0.hear(request.into_inner().message.unwrap_or_default()).await?;
        Ok(Response::new(ProcessRaftMessageResponse {}))
    }

    async fn stream_raft_message(
        &self,
        request: Request<Streaming<StreamRaftMessageRequest>>,
    ) -> Result<Response<StreamRaftMessageResponse>, Status> {
        self.0.hear_stream(request.into_inner()).await?;
        Ok(Response::new(StreamRaftMessageResponse {}))
    }

    async fn resolve_address(
        &self,
        _: Request<ResolveAddressRequest>,
    ) -> Result<Response<ResolveAddressResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}

#[tonic::async_trait]
impl Line for Door {
    type CarryStream = BoxStream<'static, Result<Heard, Status>>;

    async fn carry(
        &self,
        request: Request<Streaming<raftpb::Message>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        Ok(Response::new(self.0.hear_all(request.into_inner()).boxed()))
    }
}

#[tonic::async_trait]
impl Health for Door {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }
}

impl Swarm {
    fn new(talks: bool) -> Self {
        let mut chance = Chance::from_number(1);
        let authority = Authority::found(host::clock::now(), &mut chance);
        Self { talks, authority, cluster: ClusterId::random(&mut chance), chance }
    }

    fn identity(&mut self, node: NodeId) -> Identity {
        let (key, now) = (Key::generate(), host::clock::now());
        let expiry = Duration::from_secs(90 * 24 * 3600);
        let issue = Issue { node, cluster: self.cluster, role: NodeRole::Manager, expiry };
        let chain = self.authority.sign(&key.request(), issue, now, &mut self.chance).unwrap();
        let roots = Roots::from_pem(self.authority.certificate_pem()).unwrap();
        Identity::load(roots, &chain, &key.to_file(), now).unwrap()
    }

    /// Starts a manager; the first founds the group, the others are told who is in it.
    async fn start(&mut self, raft_id: ReplicaId, peers: Vec<Member>) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node_id = NodeId::random(&mut self.chance);
        let member = Member { raft_id, node_id, addr: listener.local_addr().unwrap().to_string() };
        let identity = self.identity(node_id);
        let tls = watch::Sender::new(identity.client_tls().unwrap()).subscribe();
        let (outgoing, messages) = Outgoing::new(tls.clone());
        let folder = tempfile::tempdir().unwrap();
        let config = ManagerConfig {
            state_dir: folder.path().to_owned(),
            raft_id,
            node_id,
            addr: member.addr.clone(),
            cluster: self.cluster,
            keys: Keys::only(DataKey::new([9; 32])),
            pace: Pace { tick: Duration::from_millis(50), heartbeat_ticks: 1, election_ticks: 10 },
            tls: tls.clone(),
            messages,
        };
        let beginning = match peers.is_empty() {
            true => Beginning::Found(Box::new(founding())),
            false => Beginning::Join(peers),
        };
        let manager = Manager::start_with(config, beginning, Clerk::new).await.unwrap();
        let (group, members) = (manager.group().clone(), manager.book().members());
        let door = Door(Incoming { id: raft_id, group: group.clone(), members: members.clone(), tls });
        let mut routes = Routes::builder();
        if self.talks {
            routes.add_service(LineServer::new(door.clone()));
        }
        routes.add_service(RaftServer::new(door.clone())).add_service(HealthServer::new(door));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(outgoing.run(group, members, stop.clone()));
        let (stopped, server) =
            (stop.clone(), watch::Sender::new(identity.server_tls().unwrap()).subscribe());
        tasks.spawn(async move {
            let routes = watch::Sender::new(routes.routes()).subscribe();
            let served = wire::channel::serve(listener, server, routes, stopped.cancelled_owned());
            served.await.unwrap();
        });
        Node { manager, member, _folder: folder, stop, tasks }
    }
}

impl Node {
    async fn end(self) {
        let Self { manager, member: _, _folder, stop, mut tasks } = self;
        stop.cancel();
        assert!(manager.stop().await);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_managers_agree_in_lasting_calls() {
    three_managers_agree(Swarm::new(true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_managers_agree_in_calls_as_stock_ones_take() {
    three_managers_agree(Swarm::new(false)).await;
}

async fn three_managers_agree(mut swarm: Swarm) {
    let mut nodes = BTreeMap::from([(1, swarm.start(1, Vec::new()).await)]);
    for id in [2, 3] {
        let peers = nodes.values().map(|node| node.member.clone()).collect();
        let joiner = swarm.start(id, peers).await;
        nodes[&1].manager.group().put_member(&joiner.member, ConfChangeKind::Add).await.unwrap();
        nodes.insert(id, joiner);
    }
    let one = create(&nodes[&1].manager, "one").await;
    let knows = |node: &Node| {
        let mut book = node.manager.book().watch();
        let one = Arc::clone(&one);
        async move {
            let known = book.wait_for(|state| state.configs.get(one.id) == Some(&one));
            timeout(PATIENCE, known).await.expect("known in time").unwrap();
        }
    };
    for node in nodes.values() {
        knows(node).await;
    }

    nodes.remove(&1).unwrap().end().await;
    let mut watching = JoinSet::new();
    for (id, node) in &nodes {
        let (id, mut leadership) = (*id, node.manager.ask().leadership());
        watching.spawn(async move {
            leadership.wait_for(|now| *now == Leadership::Here).await.unwrap();
            id
        });
    }
    let leader = timeout(PATIENCE, watching.join_next()).await.unwrap().unwrap().unwrap();
    create(&nodes[&leader].manager, "two").await;
    let mut reachability = nodes[&leader].manager.group().reachability().subscribe();
    let noticed = reachability.wait_for(|now| now.unreachable.contains(&1));
    timeout(PATIENCE, noticed).await.expect("noticed in time").unwrap();
    watching.abort_all();
    for node in nodes.into_values() {
        node.end().await;
    }
}

#[tokio::test]
async fn one_that_was_removed_is_told_so_in_the_known_words() {
    let mut swarm = Swarm::new(true);
    let node = swarm.start(1, Vec::new()).await;
    let member = Member { raft_id: 2, ..node.member.clone() };
    let members = watch::Sender::new(Arc::new(crate::Members::of(vec![member], vec![7]))).subscribe();
    let tls = watch::Sender::new(swarm.identity(node.member.node_id).client_tls().unwrap()).subscribe();
    let incoming = Incoming { id: 1, group: node.manager.group().clone(), members, tls };
    let wire = |from| raftpb::Message { to: 1, from, ..raftpb::Message::default() };
    let refused = incoming.hear(wire(7)).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (tonic::Code::NotFound, super::REMOVED));
    incoming.hear(wire(2)).await.unwrap();
    let said = futures_util::stream::iter([wire(2), wire(7), wire(2)]).map(Ok);
    let heard: Vec<_> = incoming.hear_all(said).collect().await;
    let refused = heard[0].as_ref().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (tonic::Code::NotFound, super::REMOVED));
    node.end().await;
}

/// A manager that takes a lasting call and never says that it heard anything.
struct Deaf;

#[tonic::async_trait]
impl Line for Deaf {
    type CarryStream = BoxStream<'static, Result<Heard, Status>>;

    async fn carry(
        &self,
        _: Request<Streaming<raftpb::Message>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        Ok(Response::new(futures_util::stream::pending().boxed()))
    }
}

#[tokio::test]
async fn one_that_never_says_that_it_heard_counts_as_lost() {
    let mut swarm = Swarm::new(true);
    let node = swarm.start(1, Vec::new()).await;
    let id = NodeId::random(&mut swarm.chance);
    let identity = swarm.identity(id);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let mut routes = Routes::builder();
    routes.add_service(LineServer::new(Deaf));
    let routes = watch::Sender::new(routes.routes()).subscribe();
    let server = watch::Sender::new(identity.server_tls().unwrap()).subscribe();
    let serving = wire::channel::serve(listener, server, routes, std::future::pending());
    let (queue, queued) = mpsc::channel(1);
    let group = node.manager.group().clone();
    let mut reachability = group.reachability().subscribe();
    let client = watch::Sender::new(identity.client_tls().unwrap()).subscribe();
    let line = super::line::Line::new(addr, group, client);
    let body = Body::Heartbeat { commit: 0, context: Vec::new() };
    queue.send(Message { from: 1, to: 2, term: 1, body }).await.unwrap();
    let noticed = timeout(PATIENCE, reachability.wait_for(|now| now.unreachable.contains(&2)));
    tokio::select! {
        noticed = noticed => drop(noticed.expect("noticed in time").unwrap()),
        () = line.carry(queued) => panic!("the queue is open"),
        served = serving => panic!("it serves for ever: {served:?}"),
    }
    node.end().await;
}

#[test]
fn a_large_snapshot_comes_together_again() {
    for length in [0, 1, 5 << 20, 9 << 20] {
        let data: Vec<u8> = (0..length).map(|place| place as u8).collect();
        let members = ConfState { voters: vec![1], learners: Vec::new() };
        let snapshot = Snapshot { index: 5, term: 2, members, data: data.into() };
        let message = Message { from: 1, to: 2, term: 3, body: Body::Snapshot(snapshot) };
        let mut parts = chunks(message.to_wire()).into_iter();
        let mut whole = parts.next().unwrap();
        parts.for_each(|part| append(&mut whole, part).unwrap());
        assert_eq!(Message::from_wire(whole).unwrap(), message);
    }
}

#[test]
fn chunks_of_other_messages_are_refused() {
    let snap = |index| raftpb::Message {
        r#type: raftpb::MessageType::MsgSnap.into(),
        index,
        snapshot: Some(raftpb::Snapshot::default()),
        ..raftpb::Message::default()
    };
    assert!(append(&mut snap(1), snap(1)).is_ok());
    assert!(append(&mut snap(1), snap(2)).is_err());
    assert!(append(&mut snap(1), raftpb::Message::default()).is_err());
    assert!(append(&mut raftpb::Message::default(), snap(0)).is_err());
}

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);
