//! Routes, asked in-process: a daemon on a temporary folder, and a leader who writes down what it is asked.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::Response as Answered;
use control::leader::{Answer, Request as Asked};
use http_body_util::BodyExt;
use manager::ask::{Ask, Question};
use manager::book::Reader;
use manager::services::{LogBroker, LogReader};
use model::node::{Availability, Membership, NodeRole};
use model::{Annotations, Chance, Driver, Meta, Timestamp, Version};
use store::{Change, Object, State};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::{Config, Listener};
use network::Network;
use runtime::container::{Containers, RuntimeConfig};

use crate::connect::Connector;
use crate::daemon::Daemon;
use crate::events::Events;
use crate::http::{routes, server};
use crate::standing::{Command, Facts, Manager, NodeHandle, Standing};

/// A daemon that nobody but its tests knows.
struct House {
    router: axum::Router,
    daemon: Arc<Daemon>,
    asked: Arc<Mutex<Vec<String>>>,
    standing: watch::Sender<Standing>,
    book: watch::Sender<Arc<State>>,
    _commands: mpsc::Receiver<Command>,
    _leader: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (standing, seen) = watch::channel(Standing::Inactive);
        let (commands, _commands) = mpsc::channel(1);
        let containers = Containers::open(runtime_config(folder.path())).await.unwrap();
        let network = Network::ended();
        let daemon = Arc::new(Daemon {
            connector: Connector::new(containers.clone(), network.clone()),
            containers,
            network,
            config: config(folder.path()),
            id: "TEST".to_owned(),
            images: runtime::image::Images::open(folder.path()).unwrap(),
            node: NodeHandle::new(seen, commands),
            events: Arc::new(Events::new()),
        });
        Self {
            router: routes::all(Arc::clone(&daemon)),
            daemon,
            asked: Arc::default(),
            standing,
            book: watch::Sender::new(Arc::new(State::default())),
            _commands,
            _leader: JoinSet::new(),
            _folder: folder,
        }
    }

    /// A house whose machine is a manager; its leader answers everything with what the book has.
    async fn manager() -> Self {
        let mut house = Self::new().await;
        let (leader, mut questions) = Ask::alone(house.book.subscribe());
        let asked = Arc::clone(&house.asked);
        house._leader.spawn(async move {
            while let Some(question) = questions.recv().await {
                let Question::Request(request, reply) = question else { continue };
                asked.lock().unwrap().push(format!("{request:?}"));
                let _ = reply.send(Ok(answer_to(request)));
            }
        });
        let logs = LogReader::new(LogBroker::default(), &leader, house.book.subscribe());
        let manager = Manager { book: Reader::of(house.book.subscribe()), leader, logs };
        house.standing.send_replace(Standing::Manager(Facts::default(), manager));
        house
    }

    fn put(&self, objects: Vec<Object>) {
        let changes: Vec<_> = objects.into_iter().map(Change::Create).collect();
        let mut state = State::clone(&self.book.borrow());
        state.apply(1, &changes);
        self.book.send_replace(Arc::new(state));
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let response = self.answer(request.body(Body::from(body.to_owned())).unwrap()).await;
        text(response).await
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        server::answer(self.router.clone(), request).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn text(response: Answered) -> (u16, String) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn config(folder: &std::path::Path) -> Config {
    Config {
        listeners: vec![Listener::Unix(folder.join("skep.sock"))],
        group: "root".to_owned(),
        data_root: folder.to_owned(),
        exec_root: folder.to_owned(),
        pidfile: folder.join("pid"),
        log_level: tracing::Level::INFO,
        labels: [("zone".to_owned(), "north".to_owned())].into(),
        generic_resources: Vec::new(),
        runtime: None,
        bip: None,
        dns: Vec::new(),
        insecure_registries: vec!["registry:5000".to_owned()],
        log_driver: Driver { name: "json-file".to_owned(), options: Default::default() },
        task_parallelism: 1,
        advertise_addr: String::new(),
        pace: manager::Pace::default(),
        notify_socket: None,
    }
}

fn runtime_config(folder: &std::path::Path) -> RuntimeConfig {
    RuntimeConfig {
        data_root: folder.to_owned(),
        exec_root: folder.to_owned(),
        supervise: "/nowhere/skep-supervise".into(),
        oci_runtime: None,
        init: None,
        seccomp_profile: None,
        cgroup_parent: "/skep-test".to_owned(),
    }
}

fn meta() -> Meta {
    let at = Some(Timestamp::from_parts(1_700_000_000, 0));
    Meta { version: Version { index: 7 }, created_at: at, updated_at: at }
}

fn annotations(name: &str) -> Annotations {
    Annotations { name: name.to_owned(), ..Annotations::default() }
}

fn service(number: u64, name: &str) -> model::Service {
    model::Service {
        id: model::ServiceId::random(&mut Chance::from_number(number)),
        meta: meta(),
        spec: model::ServiceSpec { annotations: annotations(name), ..model::ServiceSpec::default() },
        spec_version: None,
        previous_spec: None,
        previous_spec_version: None,
        endpoint: None,
        update_status: None,
        pending_delete: false,
        job_status: None,
    }
}

fn node(number: u64, hostname: &str) -> model::Node {
    model::Node {
        id: model::NodeId::random(&mut Chance::from_number(number)),
        meta: meta(),
        spec: model::NodeSpec {
            annotations: Annotations::default(),
            desired_role: NodeRole::Worker,
            membership: Membership::Accepted,
            availability: Availability::Active,
        },
        description: Some(model::node::NodeDescription {
            hostname: hostname.to_owned(),
            ..Default::default()
        }),
        status: Default::default(),
        manager_status: None,
        attachments: Vec::new(),
        certificate: Default::default(),
        role: NodeRole::Worker,
        vxlan_port: 0,
    }
}

fn answer_to(request: Asked) -> Answer {
    match request {
        Asked::CreateService(spec) => {
            Answer::Service(Arc::new(model::Service { spec: *spec, ..service(1, "") }))
        }
        Asked::CreateSecret(spec) => Answer::Secret(Arc::new(model::Secret {
            id: model::SecretId::random(&mut Chance::from_number(2)),
            meta: meta(),
            spec: *spec,
            internal: false,
        })),
        _ => Answer::Done,
    }
}

#[tokio::test]
async fn a_ping_says_version_system_and_swarm() {
    let house = House::new().await;
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).uri("/_ping").body(Body::empty()).unwrap();
        let response = house.answer(request).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("api-version"), api::ApiVersion::MAX.to_string());
        assert_eq!((header("ostype").as_str(), header("swarm").as_str()), ("linux", "inactive"));
        let body = text(response).await;
        assert_eq!(body, (200, if method == "GET" { "OK".to_owned() } else { String::new() }));
    }
}

#[tokio::test]
async fn unknown_pages_versions_and_methods_are_refused() {
    let house = House::new().await;
    let not_found = (404, "{\"message\":\"page not found\"}\n".to_owned());
    assert_eq!(house.ask("GET", "/v1.41/nope", "").await, not_found);
    assert_eq!(house.ask("PUT", "/v1.41/info", "").await, not_found);
    let too_new = "client version 1.99 is too new. Maximum supported API version is 1.51";
    assert_eq!(house.ask("GET", "/v1.99/info", "").await, (400, format!("{{\"message\":\"{too_new}\"}}\n")));
    let (status, text) = house.ask("POST", "/build", "").await;
    assert_eq!(status, 501);
    assert!(text.contains("building images"), "{text}");
}

#[tokio::test]
async fn without_a_swarm_its_routes_say_why() {
    let house = House::new().await;
    for path in ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/nodes/x", "/tasks/x"] {
        let (status, text) = house.ask("GET", path, "").await;
        assert_eq!(status, 503, "{path}");
        assert!(
            text.contains("This node is not a swarm manager. Use \\\"docker swarm init\\\""),
            "{path}: {text}"
        );
    }
    let (_, info) = house.ask("GET", "/info", "").await;
    let info: api::system::Info = api::read(info.as_bytes()).unwrap();
    assert_eq!(
        (info.swarm.local_node_state.as_str(), info.labels),
        ("inactive", vec!["zone=north".to_owned()])
    );
}

/// Every line is refused with its status and words, and nobody is asked for anything.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn wrong_requests_are_refused_by_field_and_change_nothing() {
    let house = House::manager().await;
    house.put(vec![Object::Service(Arc::new(service(1, "web"))), Object::Node(Arc::new(node(3, "a")))]);
    let create = "/services/create";
    let web = "/services/web/update?version=7";
    for (method, path, body, status, words) in [
        ("POST", create, "", 400, "EOF"),
        ("POST", create, "{x", 400, "invalid JSON"),
        ("POST", create, "[]", 400, "the body"),
        ("POST", create, r#"{"Name":5}"#, 400, "Name"),
        ("POST", create, r#"{"Labels":{"a":1}}"#, 400, "Labels.a"),
        (
            "POST",
            create,
            r#"{"TaskTemplate":{"ContainerSpec":{"Env":"a"}}}"#,
            400,
            "TaskTemplate.ContainerSpec.Env",
        ),
        (
            "POST",
            create,
            r#"{"TaskTemplate":{"Resources":{"Limits":{"NanoCPUs":"x"}}}}"#,
            400,
            "TaskTemplate.Resources.Limits.NanoCPUs",
        ),
        ("POST", create, "{}", 400, "mismatched Runtime"),
        ("POST", create, r#"{"TaskTemplate":{"PluginSpec":{}}}"#, 501, "plugins"),
        (
            "POST",
            create,
            &task(r#""RestartPolicy":{"Condition":"never"}"#),
            400,
            "invalid RestartCondition: \\\"never\\\"",
        ),
        ("POST", create, &task(r#""RestartPolicy":{"Delay":-1}"#), 400, "restart-delay cannot be negative"),
        ("POST", create, &task(r#""RestartPolicy":{"Delay":"5s"}"#), 400, "TaskTemplate.RestartPolicy.Delay"),
        ("POST", create, &with(r#""Mode":{"Global":{},"Replicated":{}}"#), 400, "only one service mode"),
        ("POST", create, &with(r#""Mode":{"Replicated":{"Replicas":-1}}"#), 400, "Mode.Replicated.Replicas"),
        (
            "POST",
            create,
            &with(r#""UpdateConfig":{"FailureAction":"x"}"#),
            400,
            "unrecognized update failure action x",
        ),
        ("POST", create, &with(r#""UpdateConfig":{"Order":"x"}"#), 400, "unrecognized update order x"),
        ("POST", create, &with(r#""RollbackConfig":{"Delay":-1}"#), 400, "rollback-delay cannot be negative"),
        ("POST", create, &with(r#""EndpointSpec":{"Mode":"x"}"#), 400, "invalid resolution mode"),
        (
            "POST",
            create,
            &with(r#""EndpointSpec":{"Ports":[{"TargetPort":70000}]}"#),
            400,
            "TargetPort 70000",
        ),
        ("POST", create, &with(r#""EndpointSpec":{"Ports":[{"PublishedPort":-1}]}"#), 400, "PublishedPort"),
        ("POST", create, &container(r#""Mounts":[{"Type":"x"}]"#), 400, "invalid MountType: \\\"x\\\""),
        (
            "POST",
            create,
            &container(r#""Mounts":[{"BindOptions":{"Propagation":"x"}}]"#),
            400,
            "MountPropagation",
        ),
        ("POST", create, &container(r#""StopGracePeriod":-5"#), 400, "StopGracePeriod"),
        ("POST", create, &container(r#""Healthcheck":{"Interval":-5}"#), 400, "Healthcheck.Interval"),
        ("POST", create, &container(r#""Secrets":[{"SecretID":"x"}]"#), 400, "SecretID"),
        ("POST", create, &container(r#""Configs":[{"ConfigID":"x"}]"#), 400, "either File or Runtime"),
        ("POST", create, &container(r#""Isolation":"x""#), 400, "invalid Isolation"),
        ("POST", create, &container(r#""Privileges":{"CredentialSpec":{}}"#), 400, "credential spec"),
        ("POST", create, &container(r#""Privileges":{"Seccomp":{"Mode":"x"}}"#), 400, "Seccomp.Mode"),
        ("POST", create, &task(r#""Networks":[{"Target":"nope"}]"#), 404, "network nope not found"),
        ("POST", create, &task(r#""Networks":[{"Target":"bridge"}]"#), 403, "cannot be used with services"),
        ("POST", "/services/web/update?version=abc", &with(""), 400, "invalid service version 'abc'"),
        ("POST", "/services/web/update", &with(""), 400, "invalid service version ''"),
        ("POST", "/services/nope/update?version=7", &with(""), 404, "service nope not found"),
        ("POST", &format!("{web}&rollback=x"), &with(""), 400, "unrecognized rollback option x"),
        (
            "POST",
            &format!("{web}&registryAuthFrom=previous-spec"),
            &with(""),
            500,
            "does not have a previous spec",
        ),
        ("POST", "/nodes/a/update?version=7", r#"{"Role":"boss"}"#, 400, "invalid Role: \\\"boss\\\""),
        ("POST", "/nodes/a/update?version=7", r#"{"Role":"worker"}"#, 400, "invalid Availability"),
        (
            "POST",
            "/nodes/a/update",
            r#"{"Role":"worker","Availability":"active"}"#,
            400,
            "invalid node version",
        ),
        ("DELETE", "/nodes/nope", "", 404, "node nope not found"),
        ("POST", "/secrets/create", r#"{"Name":"a","Data":"*"}"#, 400, "Data: not base64"),
        ("POST", "/v1.36/secrets/create", r#"{"Templating":{}}"#, 400, "API version: 1.36"),
        ("POST", "/secrets/x/update?version=z", "{}", 400, "invalid secret version 'z'"),
        ("DELETE", "/configs/nope", "", 404, "config nope not found"),
        ("POST", "/swarm/init", r#"{"Spec":{"Name":"x"}}"#, 400, "must be named"),
        ("POST", "/swarm/init", r#"{"SubnetSize":"x"}"#, 400, "SubnetSize"),
        ("POST", "/swarm/join", "{}", 400, "RemoteAddr"),
        ("POST", "/swarm/update?version=x", "{}", 400, "invalid swarm version 'x'"),
        ("GET", "/nodes?filters=%7B%22x%22%3A%5B%22y%22%5D%7D", "", 400, "invalid filter 'x'"),
        ("GET", "/nodes?filters=%7B%22role%22%3A%5B%22y%22%5D%7D", "", 500, "Invalid role filter: 'y'"),
        (
            "GET",
            "/tasks?filters=%7B%22desired-state%22%3A%5B%22z%22%5D%7D",
            "",
            500,
            "Invalid desired-state filter: 'z'",
        ),
        ("GET", "/tasks?filters=%7B%22service%22%3A%5B%22z%22%5D%7D", "", 404, "service z not found"),
        ("GET", "/services?filters=nonsense", "", 400, "filters"),
        ("POST", "/networks/create", r#"{"Name":"host"}"#, 403, "pre-defined network"),
        ("POST", "/networks/create", r#"{"Name":"x","Driver":"bridge"}"#, 501, "networks of this node"),
        ("POST", "/networks/create", r#"{"Name":"x","Driver":"overlay","EnableIPv4":false}"#, 400, "IPv4"),
        ("GET", "/networks/nope", "", 404, "network nope not found"),
        ("GET", "/events?since=yesterday", "", 400, "since"),
        ("POST", "/images/create", "", 400, "fromImage"),
        ("POST", "/images/create?fromImage=A%20B", "", 400, "invalid reference format"),
        ("GET", "/images/nope/json", "", 404, "No such image: nope"),
        ("POST", "/images/nope/tag?repo=a", "", 404, "No such image"),
        ("DELETE", "/images/nope", "", 404, "No such image"),
        ("POST", "/auth", "{}", 400, "username"),
    ] {
        let (found, text) = house.ask(method, path, body).await;
        assert_eq!(found, status, "{method} {path} {body}: {text}");
        assert!(text.contains(words), "{method} {path} {body}: {text}");
    }
    assert_eq!(house.asked(), Vec::<String>::new());
}

/// Every wish for a container is refused with its status and words, before an image is looked for.
#[tokio::test]
async fn wrong_containers_are_refused_by_field() {
    let house = House::new().await;
    for (more, status, words) in [
        (r#""Env":"a""#, 400, "Env"),
        (r#""Cmd":[1]"#, 400, "Cmd[0]"),
        (r#""HostConfig":{"Memory":"1g"}"#, 400, "HostConfig.Memory"),
        (r#""HostConfig":{"Memory":-1}"#, 400, "cannot be negative"),
        (r#""HostConfig":{"Binds":["a:b"]}"#, 400, "invalid volume specification: 'a:b'"),
        (r#""HostConfig":{"Binds":["/a:/b:sometimes"]}"#, 400, "unknown option"),
        (r#""HostConfig":{"Mounts":[{"Type":"x","Target":"/a"}]}"#, 400, "invalid mount type"),
        (r#""HostConfig":{"Mounts":[{"Type":"bind","Source":"a","Target":"/a"}]}"#, 400, "absolute path"),
        (r#""HostConfig":{"Mounts":[{"Type":"volume","Target":"a"}]}"#, 400, "absolute path"),
        (r#""HostConfig":{"Tmpfs":{"/t":"size=x"}}"#, 400, "size=x"),
        (r#""HostConfig":{"PortBindings":{"80/icmp":[{"HostPort":"1"}]}}"#, 400, "80/icmp"),
        (r#""HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"70000"}]}}"#, 400, "70000"),
        (r#""HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"x"}]}}"#, 400, "invalid IP address: x"),
        (r#""HostConfig":{"RestartPolicy":{"Name":"sometimes"}}"#, 400, "unknown policy 'sometimes'"),
        (
            r#""HostConfig":{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}"#,
            400,
            "maximum retry count can only be used with 'on-failure'",
        ),
        (r#""HostConfig":{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":-1}}"#, 400, "negative"),
        (r#""HostConfig":{"NetworkMode":"mine"}"#, 501, "network mine"),
        (r#""HostConfig":{"NetworkMode":"container:nope"}"#, 400, "No such container: nope"),
        (r#""HostConfig":{"PidMode":"x"}"#, 400, "PidMode"),
        (r#""HostConfig":{"SecurityOpt":["x=y"]}"#, 400, "x=y"),
        (r#""HostConfig":{"OomScoreAdj":5000}"#, 400, "OomScoreAdj"),
        (r#""HostConfig":{"ShmSize":-1}"#, 400, "ShmSize"),
        (r#""HostConfig":{"ExtraHosts":["x"]}"#, 400, "add-host"),
        (r#""Healthcheck":{"Interval":5}"#, 400, "Interval in Healthcheck"),
        (r#""Healthcheck":{"Retries":-1}"#, 400, "Retries in Healthcheck"),
        (r#""User":"a""#, 404, "No such image: nope:latest"),
    ] {
        let body = format!(r#"{{"Image":"nope",{more}}}"#);
        let (found, text) = house.ask("POST", "/containers/create", &body).await;
        assert_eq!(found, status, "{more}: {text}");
        assert!(text.contains(words), "{more}: {text}");
    }
    for (method, path, status, words) in [
        ("POST", "/containers/create", 400, "EOF"),
        ("GET", "/containers/nope/json", 404, "No such container: nope"),
        ("POST", "/containers/nope/start", 404, "No such container: nope"),
        ("POST", "/containers/nope/wait?condition=never", 400, "invalid condition"),
        ("GET", "/containers/json?limit=x", 400, "limit"),
        ("GET", "/containers/json?filters=%7B%22status%22%3A%5B%22x%22%5D%7D", 400, "status=x"),
        ("GET", "/containers/nope/logs?stdout=1", 404, "No such container"),
        ("GET", "/exec/nope/json", 404, "No such exec instance: nope"),
        ("GET", "/containers/nope/export", 404, "No such container: nope"),
        ("GET", "/containers/nope/archive?path=/", 404, "No such container: nope"),
        ("PUT", "/containers/nope/archive?path=/", 404, "No such container: nope"),
        ("GET", "/containers/nope/changes", 404, "No such container: nope"),
        ("POST", "/images/Nope/push", 400, "invalid reference format"),
        ("POST", "/images/nope/push?tag=1", 404, "does not exist locally with the tag: nope:1"),
        ("POST", "/images/nope/push", 404, "does not exist locally with the tag: nope"),
        ("GET", "/images/nope/history", 404, "No such image: nope:latest"),
        ("GET", "/system/df?type=dust", 400, "unknown object type: dust"),
        ("GET", "/volumes/nope", 404, "no such volume"),
        ("DELETE", "/volumes/nope", 404, "no such volume"),
    ] {
        let (found, text) = house.ask(method, path, "").await;
        assert_eq!(found, status, "{method} {path}: {text}");
        assert!(text.contains(words), "{method} {path}: {text}");
    }
}

fn with(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"a"}}}}{comma}{more}}}"#)
}

fn task(more: &str) -> String {
    format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"a"}},{more}}}}}"#)
}

fn container(more: &str) -> String {
    format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"a",{more}}}}}}}"#)
}

#[tokio::test]
async fn wrong_headers_are_refused() {
    let house = House::manager().await;
    let request = |name: &str, value: &str| {
        Request::post("/services/create").header(name, value).body(Body::from(with(""))).unwrap()
    };
    let (status, body) = text(house.answer(request("content-type", "text/plain")).await).await;
    assert_eq!(status, 400);
    assert!(body.contains("unsupported Content-Type header (text/plain)"), "{body}");
    let pull = Request::post("/images/create?fromImage=a").header("x-registry-auth", "*").body(Body::empty());
    let (status, body) = text(house.answer(pull.unwrap()).await).await;
    assert_eq!(status, 400);
    assert!(body.contains("X-Registry-Auth"), "{body}");
    assert!(house.asked().is_empty());
}

#[tokio::test]
async fn objects_are_found_by_id_name_and_prefix() {
    let house = House::manager().await;
    let (web, api) = (service(1, "web"), service(2, "api"));
    house.put(vec![Object::Service(Arc::new(web.clone())), Object::Service(Arc::new(api))]);
    house.put(vec![Object::Node(Arc::new(node(3, "twin"))), Object::Node(Arc::new(node(4, "twin")))]);
    for name in ["web", web.id.as_str(), &web.id.as_str()[..12]] {
        let (status, text) = house.ask("GET", &format!("/services/{name}"), "").await;
        let found: api::service::Service = api::read(text.as_bytes()).unwrap();
        assert_eq!((status, found.id.as_str()), (200, web.id.as_str()));
    }
    let (status, text) = house.ask("GET", "/nodes/twin", "").await;
    assert_eq!(status, 400);
    assert!(text.contains("node twin is ambiguous (2 matches found)"), "{text}");
    let (_, text) =
        house.ask("GET", "/services?filters=%7B%22name%22%3A%7B%22we%22%3Atrue%7D%7D&status=true", "").await;
    let listed: Vec<api::service::Service> = api::read(text.as_bytes()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].service_status.unwrap().desired_tasks, 1);
}

#[tokio::test]
async fn lawful_wishes_reach_the_leader() {
    let house = House::manager().await;
    house.put(vec![Object::Service(Arc::new(service(1, "web")))]);
    let (status, text) = house.ask("POST", "/v1.41/services/create", &with(r#""name":"x""#)).await;
    assert_eq!(status, 201, "{text}");
    let (status, text) = house.ask("POST", "/secrets/create", r#"{"Name":"s","Data":"aGk="}"#).await;
    assert_eq!(status, 201, "{text}");
    let (status, text) =
        house.ask("POST", "/services/web/update?version=7&rollback=previous", &with("")).await;
    assert_eq!((status, text.as_str()), (200, "{\"Warnings\":null}\n"));
    let (status, _) = house.ask("DELETE", "/services/web", "").await;
    assert_eq!(status, 200);
    let kinds: Vec<_> =
        house.asked().iter().map(|asked| asked.split(['(', ' ']).next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["CreateService", "CreateSecret", "UpdateService", "RemoveService"]);
}

#[tokio::test]
async fn events_are_heard_until_their_end() {
    let house = House::new().await;
    house.daemon.tell_image("pull", "a:latest", "sha256:1");
    house.daemon.tell_image("tag", "b:latest", "sha256:1");
    let filters = "%7B%22event%22%3A%5B%22tag%22%5D%7D";
    let (status, text) = house.ask("GET", &format!("/events?since=1&until=1s&filters={filters}"), "").await;
    assert_eq!((status, text.as_str()), (200, ""));
    let until = host::clock::now().parts().0 + 1;
    let (_, text) = house.ask("GET", &format!("/events?since=1&until={until}&filters={filters}"), "").await;
    let event: api::event::Event = api::read(text.as_bytes()).unwrap();
    assert_eq!((event.action.as_str(), event.actor.attributes["name"].as_str()), ("tag", "b:latest"));
}
