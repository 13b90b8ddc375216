//! A manager and agents in one process, over real connections with real certificates.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod cfssl;
mod external;
mod hostile;
mod many;
mod peers;
mod renewal;
mod stage;
mod succession;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent::{Credentials, Dependencies, Executor, LogLine, LogStream, LogWish, NullExecutor};
use control::leader::{Request, Rollback, Rotation};
use control::worker::{Done, Failure};
use model::node::{Availability, NodeDescription, NodeRole};
use model::{
    Chance, ClusterSpec, ContainerSpec, Node, Runtime, ServiceId, Task, TaskSpec, TaskState, Timestamp,
};
use pki::{JoinToken, KeyFile};
use store::State;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::proto::control_client::ControlClient;
use wire::proto::dispatcher_client::DispatcherClient;
use wire::proto::watch_client::WatchClient;
use wire::{OnWire, proto};

use stage::{Swarm, is_ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tasks_run_on_one_node() {
    let swarm = Swarm::found().await;
    let agent = swarm.agent("worker", &swarm.credentials);
    let me = swarm.credentials.identity().subject.node_id().unwrap();
    swarm.until(|state| is_ready(state, me)).await;

    let begun = host::clock::now();
    swarm.create_service().await;
    swarm.until(all_run).await;
    println!("100 tasks run after {:?}", host::clock::since(begun));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_joins_with_a_token_and_speaks() {
    let swarm = Swarm::found().await;
    let folder = swarm.folder.path().join("joiner");
    let joined = Credentials::join(&folder, &swarm.addr, &swarm.tokens.worker, Availability::Active);
    let joined = joined.await.unwrap();
    assert_eq!(joined.identity().subject.role(), Some(NodeRole::Worker));
    let again = Credentials::load(&folder, None).unwrap().unwrap();
    let me = again.identity().subject.node_id().unwrap();

    let agent = swarm.agent("joiner", &again);
    let state = swarm.until(|state| is_ready(state, me)).await;
    let description = state.nodes.get(me).unwrap().description.clone().unwrap();
    assert!(!description.tls_info.unwrap().cert_issuer_subject.is_empty());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_opens_nothing() {
    let swarm = Swarm::found().await;
    let folder = swarm.folder.path().join("joiner");
    let other_root = JoinToken::random(b"another root", &mut Chance::from_number(1)).to_string();
    let refused = Credentials::join(&folder, &swarm.addr, &other_root, Availability::Active).await;
    assert!(refused.unwrap_err().to_string().starts_with("remote CA does not match fingerprint"));

    let root = swarm.credentials.identity().roots().pem().to_vec();
    let other_secret = JoinToken::random(&root, &mut Chance::from_number(1)).to_string();
    let refused = Credentials::join(&folder, &swarm.addr, &other_secret, Availability::Active).await;
    let words = "A valid join token is necessary to join this cluster";
    assert_eq!(refused.unwrap_err().to_string(), words);
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_may_not_are_refused_in_known_words() {
    let swarm = Swarm::found().await;
    let folder = swarm.folder.path().join("joiner");
    let joined = Credentials::join(&folder, &swarm.addr, &swarm.tokens.worker, Availability::Active);
    let worker = joined.await.unwrap().identity();
    let prefix = "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = ";

    let nobody = swarm.credentials.identity().roots().anonymous_client();
    let refused = list_nodes(&swarm.addr, nobody).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    assert_eq!(refused.message(), format!("{prefix}no client certificates in request"));

    let refused = list_nodes(&swarm.addr, worker.client_tls().unwrap()).await.unwrap_err();
    let words = "Permission denied: remote certificate not part of OUs: [swarm-manager]";
    assert_eq!(refused.message(), format!("{prefix}{words}"));

    let manager = swarm.credentials.identity();
    let nodes = list_nodes(&swarm.addr, manager.client_tls().unwrap()).await.unwrap();
    assert_eq!(nodes.len(), 2);

    let stranger = Swarm::found().await.credentials.identity().client_tls().unwrap();
    assert!(list_nodes(&swarm.addr, stranger).await.is_err(), "TLS refuses other swarms' nodes");
}

async fn list_nodes(addr: &str, tls: Arc<rustls::ClientConfig>) -> Result<Vec<proto::Node>, tonic::Status> {
    let channel = wire::channel::connect(addr, wire::channel::MANAGER_NAME, tls);
    let channel = channel.await.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
    let request = proto::ListNodesRequest::default();
    Ok(ControlClient::new(channel).list_nodes(request).await?.into_inner().nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_list_what_they_created_and_never_see_secrets() {
    let swarm = Swarm::found().await;
    let mut control = ControlClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let clusters = control.list_clusters(proto::ListClustersRequest::default()).await.unwrap();
    let cluster = clusters.into_inner().clusters.remove(0);
    let root = cluster.root_ca.unwrap();
    assert!(root.ca_key.is_empty() && !root.ca_cert.is_empty());
    assert_eq!(root.join_tokens.unwrap().worker, swarm.tokens.worker);

    for (text, code) in [("", tonic::Code::InvalidArgument), ("none", tonic::Code::NotFound)] {
        let request = proto::GetServiceRequest { service_id: text.to_owned(), insert_defaults: false };
        assert_eq!(control.get_service(request).await.unwrap_err().code(), code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_hears_what_happens() {
    let swarm = Swarm::found().await;
    let entry = |kind: &str| proto::watch_request::WatchEntry { kind: kind.to_owned(), ..Default::default() };
    let mut watch = WatchClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let wrong = proto::WatchRequest { entries: vec![entry("dog")], ..Default::default() };
    assert_eq!(watch.watch(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);

    let request = proto::WatchRequest { entries: vec![entry("node")], ..Default::default() };
    let mut events = watch.watch(request).await.unwrap().into_inner();
    assert_eq!(events.message().await.unwrap(), Some(proto::WatchMessage::default()));
    let folder = swarm.folder.path().join("joiner");
    let joined = Credentials::join(&folder, &swarm.addr, &swarm.tokens.worker, Availability::Active);
    let me = joined.await.unwrap().identity().subject.common_name.clone();
    let message = events.message().await.unwrap().unwrap();
    let object = message.events[0].object.clone().unwrap().object.unwrap();
    assert_eq!(message.events[0].action, proto::WatchActionKind::WatchActionCreate as i32);
    assert!(matches!(object, proto::object::Object::Node(node) if node.id == me));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_does_not_wait_for_streams() {
    let swarm = Swarm::found().await;
    let agent = swarm.agent("worker", &swarm.credentials);
    let me = swarm.credentials.identity().subject.node_id().unwrap();
    swarm.until(|state| is_ready(state, me)).await;
    let begun = host::clock::now();
    assert!(swarm.door.close(Duration::from_secs(3)).await, "{:?}", host::clock::since(begun));
    agent.stop().await;
}

fn all_run(state: &State) -> bool {
    state.tasks.iter().filter(|task| task.status.state == TaskState::Running).count() == 100
}

/// Hands whose tasks have written two lines each.
struct Chatty;

impl Executor for Chatty {
    async fn describe(&self) -> NodeDescription {
        NullExecutor.describe().await
    }
    async fn configure(&self, node: &Node) {
        NullExecutor.configure(node).await;
    }
    async fn prepare(
        &self,
        task: &Task,
        needs: &Dependencies,
        over: &CancellationToken,
    ) -> Result<Done, Failure> {
        NullExecutor.prepare(task, needs, over).await
    }
    async fn start(&self, task: &Task, over: &CancellationToken) -> Result<Done, Failure> {
        NullExecutor.start(task, over).await
    }
    async fn wait(&self, task: &Task, over: &CancellationToken) -> Result<Done, Failure> {
        NullExecutor.wait(task, over).await
    }
    async fn stop(&self, task: &Task) -> Result<Done, Failure> {
        NullExecutor.stop(task).await
    }
    async fn remove(&self, task: &Task) -> Result<Done, Failure> {
        NullExecutor.remove(task).await
    }
    async fn logs(&self, task: &Task, wish: &LogWish, lines: mpsc::Sender<LogLine>) -> Result<(), Failure> {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let data = format!("slot {}\n", task.slot).into_bytes();
            let line = LogLine { at: Timestamp::EPOCH, stream, data, attrs: BTreeMap::new() };
            lines.send(line).await.unwrap();
        }
        if wish.follow { std::future::pending().await } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tasks_write_finds_its_reader() {
    let swarm = Swarm::found().await;
    let agent = swarm.agent_with("worker", &swarm.credentials, Chatty);
    let me = swarm.credentials.identity().subject.node_id().unwrap();
    swarm.until(|state| is_ready(state, me)).await;
    let service = swarm.create_service().await;
    swarm.until(all_run).await;
    let book = swarm.manager.book().watch();
    let selector = proto::LogSelector { service_ids: vec![service.to_string()], ..Default::default() };

    let options = proto::LogSubscriptionOptions::default();
    let mut reader = swarm.logs.subscribe(&book, selector.clone(), options).unwrap();
    let mut lines = 0;
    while let Some(read) = reader.next().await {
        lines += read.unwrap().len();
    }
    assert_eq!(lines, 200);

    let options = proto::LogSubscriptionOptions { follow: true, ..Default::default() };
    let mut reader = swarm.logs.subscribe(&book, selector, options).unwrap();
    let mut lines = 0;
    while lines < 200 {
        lines += reader.next().await.unwrap().unwrap().len();
    }
    assert!(swarm.logs.subscribe(&book, Default::default(), Default::default()).is_err());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_manager_finds_its_nodes_and_disturbs_no_task() {
    let swarm = Swarm::found().await;
    let agent = swarm.agent("worker", &swarm.credentials);
    let me = swarm.credentials.identity().subject.node_id().unwrap();
    swarm.until(|state| is_ready(state, me)).await;
    swarm.create_service().await;
    let before = swarm.until(all_run).await;

    let swarm = swarm.restart().await;
    let begun = host::clock::now();
    let mut news = agent.news();
    news.mark_unchanged();
    news.changed().await.unwrap();
    println!("the node is back after {:?}", host::clock::since(begun));
    let after = swarm.until(|state| all_run(state) && is_ready(state, me)).await;
    let ids = |state: &State| state.tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_heartbeat_period_is_told_to_nodes_that_are_there() {
    let swarm = Swarm::found().await;
    let mut dispatcher = DispatcherClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let description = Some(NullExecutor.describe().await.to_wire());
    let request = proto::SessionRequest { description, ..Default::default() };
    let mut session = dispatcher.session(request).await.unwrap().into_inner();
    let session_id = session.message().await.unwrap().unwrap().session_id;
    let mut period = async || {
        let request = proto::HeartbeatRequest { session_id: session_id.clone() };
        let period = dispatcher.heartbeat(request).await.unwrap().into_inner().period;
        model::Duration::from_wire(period.unwrap()).unwrap()
    };
    let usual = period().await;
    assert!(usual > Duration::from_secs(3), "{usual:?}");
    let shorter = |spec: &mut ClusterSpec| spec.heartbeat_period = Some(Duration::from_secs(1));
    swarm.update(Rotation::default(), shorter).await.unwrap();
    let shorter = period().await;
    assert!(shorter < Duration::from_secs(2), "{shorter:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_limit_holds_from_the_next_task_on() {
    let swarm = Swarm::found().await;
    let agent = swarm.agent("worker", &swarm.credentials);
    let me = swarm.credentials.identity().subject.node_id().unwrap();
    swarm.until(|state| is_ready(state, me)).await;
    let container = ContainerSpec { image: "nothing".to_owned(), ..Default::default() };
    let task = TaskSpec { runtime: Runtime::Container(Box::new(container)), ..TaskSpec::default() };
    let service = swarm.create(1, task).await;
    for (limit, kept) in [(5, 1), (5, 2), (0, 0)] {
        let limited = |spec: &mut ClusterSpec| spec.task_history_retention_limit = limit;
        swarm.update(Rotation::default(), limited).await.unwrap();
        let runs = |task: &Task| task.status.state == TaskState::Running;
        let state = swarm.until(|state| state.tasks.iter().any(|task| runs(task))).await;
        let replaced = state.tasks.iter().find(|task| runs(task)).unwrap().id;
        renew(&swarm, service).await;
        swarm
            .until(|state| {
                let ended = state.tasks.iter().filter(|task| task.status.state.is_final()).count();
                state.tasks.iter().any(|task| runs(task) && task.id != replaced) && ended == kept
            })
            .await;
    }
    agent.stop().await;
}

/// Has all tasks of a service made anew.
async fn renew(swarm: &Swarm, id: ServiceId) {
    let service = swarm.manager.book().state().services.get(id).unwrap().clone();
    let mut spec = Box::new(service.spec.clone());
    spec.task.force_update += 1;
    let (version, rollback) = (service.meta.version, Rollback::None);
    let request = Request::UpdateService { id, version, spec, rollback };
    swarm.manager.ask().request(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_told_what_is_missing() {
    let swarm = Swarm::found().await;
    let service = swarm.create_service().await;
    let selector = proto::LogSelector { service_ids: vec![service.to_string()], ..Default::default() };
    let book = swarm.manager.book().watch();
    let mut reader = swarm.logs.subscribe(&book, selector, Default::default()).unwrap();
    let task = book.borrow().tasks.iter().next().unwrap().id;
    let warning = reader.next().await.unwrap().unwrap_err();
    assert!(warning.message().contains(&format!("task {task} has not been scheduled")), "{warning}");
    assert!(reader.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_renews_its_certificate_until_it_is_removed() {
    let swarm = Swarm::found().await;
    let folder = swarm.folder.path().join("joiner");
    let joined = Credentials::join(&folder, &swarm.addr, &swarm.tokens.worker, Availability::Active);
    let joined = joined.await.unwrap();
    let note = |file: &mut KeyFile, _: &mut _| drop(file.headers.insert("note".to_owned(), "7".to_owned()));
    joined.edit_key_file(note).unwrap();

    let before = joined.identity();
    let me = before.subject.node_id().unwrap();
    joined.renew(&swarm.addr).await.unwrap();
    assert_eq!(joined.identity().subject, before.subject);
    assert_ne!(joined.identity().certificate(), before.certificate());
    assert_eq!(joined.key_file().unwrap().headers["note"], "7");

    let remove = Request::RemoveNode { id: me, force: true };
    swarm.manager.ask().request(remove).await.unwrap();
    let refused = joined.renew(&swarm.addr).await.unwrap_err();
    let words = format!("Permission denied: node {me} was removed from swarm");
    assert!(refused.to_string().ends_with(&words), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_and_change_nothing() {
    let swarm = Swarm::found().await;
    let mut control = ControlClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let index = swarm.manager.book().state().index;
    let container = proto::task_spec::Runtime::Container(Default::default());
    let restart = proto::RestartPolicy { condition: 9, ..Default::default() };
    let task = |restart| proto::TaskSpec { runtime: Some(container.clone()), restart, ..Default::default() };
    let spec = |task| proto::ServiceSpec { task: Some(task), ..Default::default() };
    let replicated = proto::service_spec::Mode::Replicated(proto::ReplicatedService { replicas: 1 });
    let nameless = proto::ServiceSpec { mode: Some(replicated), ..spec(task(None)) };
    for (spec, words) in [
        (None, "invalid argument"),
        (Some(spec(proto::TaskSpec::default())), "task.runtime cannot be \"absent\""),
        (Some(spec(task(Some(restart)))), "task.restart.condition cannot be \"9\""),
        (Some(spec(task(None))), "mode cannot be \"absent\""),
        (Some(nameless), "meta: name must be provided"),
    ] {
        let refused = control.create_service(proto::CreateServiceRequest { spec }).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (tonic::Code::InvalidArgument, words));
    }
    assert_eq!(swarm.manager.book().state().index, index);
}
