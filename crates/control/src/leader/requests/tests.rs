//! Every rule of `control.md` section 11: what breaks it is refused in its words, and nothing is drafted.

use model::cluster::{ClusterSpec, EncryptionKey, RoleAdmissionPolicy};
use model::meta::Payload;
use model::network::{IpamConfig, IpamOptions, PREDEFINED_LABEL};
use model::node::{ManagerStatus, NodeRole, NodeState, Reachability};
use model::service::{UpdateState, UpdateStatus};
use model::spec::container::{ConfigReference, ConfigTarget, FileTarget, HealthConfig, SecretReference};
use model::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PortConfig, PublishMode, ResolutionMode};
use model::spec::mount::Mount;
use model::spec::placement::Placement;
use model::spec::privileges::{CredentialSpec, Privileges};
use model::spec::resources::{ResourceRequirements, Resources};
use model::spec::task::GenericSpec;
use model::spec::update::UpdateConfig;
use model::volume::{VolumeAccess, VolumeAccessMode, VolumeSpec};
use model::{
    Annotations, Chance, ConfigSpec, ContainerSpec, Cx, Driver, Duration, NetworkSpec, Node, Refusal,
    Runtime, SecretSpec, ServiceMode, ServiceSpec, TaskState, Timestamp, Version,
};
use store::{Draft, State};

use super::judge;
use crate::leader::fixtures::{book, change, cluster, network, node, node_id, service_id, task};
use crate::leader::request::{Answer, Request, Rollback, Rotation};

const NOW: Timestamp = Timestamp::from_parts(1_000, 0);

/// Asks, and commits what is granted.
fn ask(state: &mut State, request: Request) -> Result<Answer, Refusal> {
    let mut draft = Draft::of(state, NOW);
    let answer =
        judge(&mut draft, request, &mut Cx { now: NOW, chance: &mut Chance::from_number(state.index) });
    let changes = draft.into_changes();
    assert!(answer.is_ok() || changes.is_empty(), "a refusal drafts nothing");
    state.apply(state.index + 1, &changes);
    answer
}

/// Asks, and says why not.
fn refusal(state: &mut State, request: Request) -> String {
    match ask(state, request) {
        Ok(_) => "yes".to_owned(),
        Err(refusal) => format!("{}: {}", refusal.code_name(), refusal.message),
    }
}

fn named(name: &str) -> Annotations {
    Annotations { name: name.to_owned(), ..Annotations::default() }
}

fn container(spec: &mut ServiceSpec) -> &mut ContainerSpec {
    match &mut spec.task.runtime {
        Runtime::Container(container) => container,
        _ => unreachable!("the tests begin with a container"),
    }
}

fn web() -> ServiceSpec {
    let mut spec = ServiceSpec { annotations: named("web"), ..ServiceSpec::default() };
    container(&mut spec).image = "nginx".to_owned();
    spec
}

fn port(published_port: u32, publish_mode: PublishMode) -> PortConfig {
    PortConfig { target_port: 80, published_port, publish_mode, ..PortConfig::default() }
}

fn ports(mode: ResolutionMode, ports: &[PortConfig]) -> Option<EndpointSpec> {
    Some(EndpointSpec { mode, ports: ports.to_vec() })
}

/// A swarm that has begun, with the mesh's network.
fn swarm() -> State {
    book(|draft| {
        draft.create(cluster());
        draft.create(network("ingress"));
    })
}

/// Asks for a service that breaks one rule.
fn check_service(break_rule: impl FnOnce(&mut ServiceSpec), words: &str) {
    let mut spec = web();
    break_rule(&mut spec);
    assert_eq!(refusal(&mut swarm(), Request::CreateService(Box::new(spec))), words);
}

fn limits(nano_cpus: i64, memory_bytes: i64) -> Option<ResourceRequirements> {
    let limits = Resources { nano_cpus, memory_bytes, generic: Vec::new() };
    Some(ResourceRequirements { limits: Some(limits), ..ResourceRequirements::default() })
}

#[test]
fn a_service_needs_a_name_that_dns_knows() {
    let check = |name: &str, words| check_service(|spec| spec.annotations.name = name.to_owned(), words);
    check("", "InvalidArgument: meta: name must be provided");
    check("-a", "InvalidArgument: name must be valid as a DNS name component");
    check("a.b", "InvalidArgument: name must be valid as a DNS name component");
    check(&"x".repeat(64), "InvalidArgument: name must be 63 characters or fewer");
    check(&"x".repeat(63), "yes");
}

#[test]
fn a_service_needs_an_image_that_can_be_read() {
    let check = |image: &str, words| check_service(|spec| container(spec).image = image.to_owned(), words);
    check("", "InvalidArgument: ContainerSpec: image reference must be provided");
    check("A b", "InvalidArgument: ContainerSpec: \"A b\" is not a valid repository/tag");
    check("localhost:5000/a/b:c", "yes");
}

#[test]
fn a_service_asks_for_enough_or_for_nothing() {
    let check = |cpus, memory, words| check_service(|spec| spec.task.resources = limits(cpus, memory), words);
    check(999_999, 0, "InvalidArgument: invalid cpu value 0.000999999: Must be at least 0.001");
    check(1, 0, "InvalidArgument: invalid cpu value 1e-09: Must be at least 0.001");
    check(0, 1, "InvalidArgument: invalid memory value 1: Must be at least 4MiB");
    check(0, -1, "InvalidArgument: invalid memory value -1: Must be at least 4MiB");
    check(1_000_000, 4 << 20, "yes");
    let reserve = |spec: &mut ServiceSpec| {
        let few = Resources { memory_bytes: 5, ..Resources::default() };
        let resources = ResourceRequirements { reservations: Some(few), ..ResourceRequirements::default() };
        spec.task.resources = Some(resources);
    };
    check_service(reserve, "InvalidArgument: invalid memory value 5: Must be at least 4MiB");
}

#[test]
fn a_containers_mounts_and_health_check_make_sense() {
    let twice = |spec: &mut ServiceSpec| {
        let mount = Mount { target: "/data".to_owned(), ..Mount::default() };
        container(spec).mounts = vec![mount.clone(), mount];
    };
    check_service(twice, "InvalidArgument: ContainerSpec: duplicate mount point: /data");
    let health = |health: HealthConfig, words| {
        check_service(|spec| container(spec).healthcheck = Some(health), words);
    };
    let short = Some(Duration::from_nanos(1));
    health(
        HealthConfig { interval: short, ..HealthConfig::default() },
        "InvalidArgument: ContainerSpec: Interval in HealthConfig cannot be less than 1ms",
    );
    health(
        HealthConfig { start_period: short, ..HealthConfig::default() },
        "InvalidArgument: ContainerSpec: StartPeriod in HealthConfig cannot be less than 1ms",
    );
    health(
        HealthConfig { retries: -1, ..HealthConfig::default() },
        "InvalidArgument: ContainerSpec: Retries in HealthConfig cannot be negative",
    );
    health(HealthConfig { interval: Some(Duration::from_millis(1)), ..HealthConfig::default() }, "yes");
}

#[test]
fn constraints_are_read_before_they_are_kept() {
    let check = |constraint: &str, words| {
        let placement = Placement { constraints: vec![constraint.to_owned()], ..Placement::default() };
        check_service(|spec| spec.task.placement = Some(placement), words);
    };
    check("node.role=manager", "Unknown: constraint expected one operator from ==, !=");
    check("1==1", "Unknown: key '1' is invalid");
    check("node.role==manager", "yes");
}

#[test]
fn a_plugins_runtime_has_a_kind_and_a_payload() {
    let check = |kind: &str, payload: Option<(&str, &[u8])>, words| {
        let payload = payload.map(|(url, value)| Payload { type_url: url.to_owned(), value: value.to_vec() });
        let generic = GenericSpec { kind: kind.to_owned(), payload };
        check_service(|spec| spec.task.runtime = Runtime::Generic(generic), words);
    };
    check("ab", None, "InvalidArgument: Generic runtime: Invalid name \"ab\"");
    check("Container", None, "InvalidArgument: Generic runtime: Container is a reserved name");
    check("plugin", None, "InvalidArgument: Generic runtime is missing payload");
    check("plugin", Some(("", b"x")), "InvalidArgument: Generic runtime is missing payload type");
    check("plugin", Some(("url", b"")), "InvalidArgument: Generic runtime has an empty payload");
    check("plugin", Some(("url", b"x")), "yes");
    check_service(
        |spec| spec.task.runtime = Runtime::Attachment(Default::default()),
        "Unimplemented: RuntimeSpec: unimplemented runtime in service spec",
    );
}

#[test]
fn update_settings_stay_in_their_bounds() {
    for ratio in [-0.1, 1.1, f32::NAN] {
        check_service(
            |spec| spec.update = Some(UpdateConfig { max_failure_ratio: ratio, ..UpdateConfig::default() }),
            "InvalidArgument: TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        );
    }
    let job = |spec: &mut ServiceSpec| {
        spec.mode = ServiceMode::GlobalJob;
        spec.update = Some(UpdateConfig::default());
    };
    check_service(job, "InvalidArgument: Jobs may not have an update config");
}

#[test]
fn ports_fit_the_way_a_service_is_reached() {
    let check = |endpoint: Option<EndpointSpec>, words| check_service(|spec| spec.endpoint = endpoint, words);
    check(
        ports(ResolutionMode::DnsRoundRobin, &[port(80, PublishMode::Ingress)]),
        "InvalidArgument: EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    );
    check(
        ports(ResolutionMode::Vip, &[port(80, PublishMode::Ingress), port(80, PublishMode::Host)]),
        "InvalidArgument: EndpointSpec: duplicate published ports provided",
    );
    check(ports(ResolutionMode::Vip, &[port(0, PublishMode::Ingress), port(0, PublishMode::Ingress)]), "yes");
    check(ports(ResolutionMode::DnsRoundRobin, &[port(80, PublishMode::Host)]), "yes");
}

#[test]
fn a_port_of_the_mesh_belongs_to_one_service() {
    let mut state = swarm();
    let mut create = |name: &str, mode| {
        let endpoint = ports(ResolutionMode::Vip, &[port(80, mode)]);
        let spec = ServiceSpec { annotations: named(name), endpoint, ..web() };
        let said = refusal(&mut state, Request::CreateService(Box::new(spec)));
        let id = state.services.named("web").next().unwrap().id.to_string();
        said.replace(&id, "ID")
    };
    assert_eq!(create("web", PublishMode::Host), "yes");
    assert_eq!(create("api", PublishMode::Host), "yes");
    let words = "InvalidArgument: port '80' is already in use by service 'web' (ID) as a host-published port";
    let said = create("mesh", PublishMode::Ingress);
    assert!(said == words || said.contains("'api'"), "{said}");
}

#[test]
fn a_taken_name_or_a_missing_mesh_is_told() {
    let mut state = swarm();
    assert_eq!(refusal(&mut state, Request::CreateService(Box::new(web()))), "yes");
    let mut again = web();
    again.annotations.name = "WEB".to_owned();
    assert_eq!(
        refusal(&mut state, Request::CreateService(Box::new(again))),
        "AlreadyExists: name conflicts with an existing object: service WEB already exists",
    );
    let endpoint = ports(ResolutionMode::Vip, &[port(80, PublishMode::Ingress)]);
    let spec = ServiceSpec { endpoint, ..web() };
    assert_eq!(
        refusal(&mut State::default(), Request::CreateService(Box::new(spec))),
        "FailedPrecondition: service needs ingress network, but no ingress network is present",
    );
    let target = network("ingress").id.to_string();
    check_service(
        |spec| spec.task.networks = vec![NetworkAttachmentConfig { target, ..Default::default() }],
        "InvalidArgument: Service cannot be explicitly attached to the ingress network \"ingress\"",
    );
}

fn secret_spec(name: &str, data: usize) -> Box<SecretSpec> {
    Box::new(SecretSpec { annotations: named(name), data: vec![7; data], ..SecretSpec::default() })
}

fn config_spec(name: &str, data: usize) -> Box<ConfigSpec> {
    Box::new(ConfigSpec { annotations: named(name), data: vec![7; data], templating: None })
}

fn file(name: &str) -> FileTarget {
    FileTarget { name: name.to_owned(), ..FileTarget::default() }
}

#[test]
fn secrets_of_a_service_exist_and_have_places_of_their_own() {
    let mut state = swarm();
    let Ok(Answer::Secret(secret)) = ask(&mut state, Request::CreateSecret(secret_spec("key", 1))) else {
        panic!("the secret is made");
    };
    let reference = |name: &str, target: Option<&str>| SecretReference {
        secret_id: secret.id,
        secret_name: name.to_owned(),
        file: target.map(file),
    };
    let mut check = |secrets: Vec<SecretReference>, words: &str| {
        let mut spec = web();
        container(&mut spec).secrets = secrets;
        let said = refusal(&mut state, Request::CreateService(Box::new(spec)));
        assert_eq!(said, words);
    };
    check(vec![reference("", Some("a"))], "InvalidArgument: malformed secret reference");
    check(vec![reference("key", None)], "InvalidArgument: malformed secret reference, no target provided");
    check(
        vec![reference("key", Some(""))],
        "InvalidArgument: malformed file secret reference, invalid target file name provided",
    );
    check(
        vec![reference("key", Some("a")), reference("other", Some("a"))],
        "InvalidArgument: secret references 'key' and 'other' have a conflicting target: 'a'",
    );
    check(vec![reference("other", Some("a"))], "InvalidArgument: secret not found: other");
    check(
        vec![reference("x", Some("a")), reference("y", Some("b"))],
        "InvalidArgument: secrets not found: x, y",
    );
    check(vec![reference("key", Some("a")), reference("key", Some("b"))], "yes");
}

#[test]
fn configs_of_a_service_exist_and_credentials_are_among_them() {
    let mut state = swarm();
    let Ok(Answer::Config(config)) = ask(&mut state, Request::CreateConfig(config_spec("conf", 1))) else {
        panic!("the config is made");
    };
    let reference = |name: &str, target: Option<ConfigTarget>| ConfigReference {
        config_id: config.id,
        config_name: name.to_owned(),
        target,
    };
    let credentials = CredentialSpec::Config(config.id.to_string());
    let mut check = |configs: Vec<ConfigReference>, words: &str| {
        let mut spec = web();
        container(&mut spec).configs = configs;
        let privileges = Privileges { credential_spec: Some(credentials.clone()), ..Privileges::default() };
        container(&mut spec).privileges = Some(privileges);
        assert_eq!(
            refusal(&mut state, Request::CreateService(Box::new(spec))).replace(config.id.as_str(), "ID"),
            words
        );
    };
    check(vec![reference("conf", None)], "InvalidArgument: malformed config reference, no target provided");
    check(vec![reference("no", Some(ConfigTarget::Runtime))], "InvalidArgument: config not found: no");
    check(
        vec![reference("conf", Some(ConfigTarget::File(file("a"))))],
        "InvalidArgument: CredentialSpec: config ID must be among the configs with a runtime target",
    );
    check(vec![reference("conf", Some(ConfigTarget::Runtime))], "yes");
}

/// A swarm with the service `web`.
fn with_web() -> State {
    let mut state = swarm();
    ask(&mut state, Request::CreateService(Box::new(web()))).unwrap();
    state
}

fn update_web(state: &mut State, spec: ServiceSpec, rollback: Rollback) -> String {
    let service = state.services.iter().next().unwrap().clone();
    let request = Request::UpdateService {
        id: service.id,
        version: service.meta.version,
        spec: Box::new(spec),
        rollback,
    };
    refusal(state, request).replace(service.id.as_str(), "ID")
}

#[test]
fn an_update_keeps_what_was_and_says_from_which_version_it_came() {
    let mut state = with_web();
    let first = state.services.iter().next().unwrap().clone();
    assert_eq!(first.spec_version, Some(Version { index: 0 }));
    let mut spec = web();
    container(&mut spec).image = "nginx:2".to_owned();
    assert_eq!(update_web(&mut state, spec.clone(), Rollback::None), "yes");
    let second = state.services.iter().next().unwrap().clone();
    assert_eq!(second.spec, spec);
    assert_eq!(second.spec_version, Some(first.meta.version));
    assert_eq!(second.previous_spec.as_deref(), Some(&first.spec));
    assert_eq!(second.previous_spec_version, first.spec_version);
    assert!(second.meta.version > first.meta.version);

    assert_eq!(update_web(&mut state, web(), Rollback::Previous), "yes");
    let third = state.services.iter().next().unwrap().clone();
    assert_eq!((&third.spec, third.spec_version), (&first.spec, first.spec_version));
    assert_eq!(third.previous_spec.as_deref(), Some(&second.spec));
    let status = third.update_status.as_ref().unwrap();
    assert_eq!(
        (status.state, status.message.as_str()),
        (UpdateState::RollbackStarted, "manually requested rollback")
    );
}

#[test]
fn an_update_that_breaks_a_rule_is_refused() {
    let mut state = with_web();
    assert_eq!(
        update_web(&mut state, web(), Rollback::Previous),
        "FailedPrecondition: service ID does not have a previous spec",
    );
    let global = ServiceSpec { mode: ServiceMode::Global, ..web() };
    assert_eq!(
        update_web(&mut state, global, Rollback::None),
        "Unimplemented: service mode change is not allowed"
    );
    let renamed = ServiceSpec { annotations: named("other"), ..web() };
    assert_eq!(
        update_web(&mut state, renamed, Rollback::None),
        "Unimplemented: renaming services is not supported"
    );
    let networks = vec![NetworkAttachmentConfig { target: "x".to_owned(), ..Default::default() }];
    assert_eq!(
        update_web(&mut state, ServiceSpec { networks, ..web() }, Rollback::None),
        "Unimplemented: networks must be migrated to TaskSpec before being changed",
    );
    let id = state.services.iter().next().unwrap().id;
    let stale = Version { index: 99 };
    let request =
        Request::UpdateService { id, version: stale, spec: Box::new(web()), rollback: Rollback::None };
    assert_eq!(refusal(&mut state, request), "Unknown: update out of sequence");
    let id = service_id(9);
    assert_eq!(refusal(&mut state, Request::RemoveService(id)), format!("NotFound: service {id} not found"));
}

#[test]
fn an_update_clears_the_status_of_the_one_before() {
    let mut state = with_web();
    let service = state.services.iter().next().unwrap().clone();
    change(&mut state, |draft| {
        draft.edit(&service, |service| {
            service.update_status =
                Some(UpdateStatus { state: UpdateState::Paused, ..UpdateStatus::default() });
        });
    });
    assert_eq!(update_web(&mut state, web(), Rollback::None), "yes");
    assert_eq!(state.services.iter().next().unwrap().update_status, None);
}

#[test]
fn each_update_of_a_job_is_another_run() {
    let mut state = swarm();
    let job = ServiceSpec { mode: ServiceMode::GlobalJob, ..web() };
    ask(&mut state, Request::CreateService(Box::new(job.clone()))).unwrap();
    assert_eq!(update_web(&mut state, job, Rollback::None), "yes");
    let status = state.services.iter().next().unwrap().job_status.unwrap();
    assert_eq!((status.job_iteration.index, status.last_execution), (1, Some(NOW)));
}

#[test]
fn secrets_and_configs_have_names_and_bounded_bytes() {
    const NAME: &str = "InvalidArgument: invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]";
    let state = &mut swarm();
    let mut check = |request, words: &str| assert_eq!(refusal(state, request), words);
    check(Request::CreateSecret(secret_spec("", 1)), NAME);
    check(Request::CreateConfig(config_spec(".a", 1)), NAME);
    let bytes = "InvalidArgument: secret data must be larger than 0 and less than 512000 bytes";
    check(Request::CreateSecret(secret_spec("a", 0)), bytes);
    check(Request::CreateSecret(secret_spec("a", 512_000)), bytes);
    check(Request::CreateSecret(secret_spec("a", 511_999)), "yes");
    check(Request::CreateSecret(secret_spec("A", 1)), "AlreadyExists: secret A already exists");
    let bytes = "InvalidArgument: config data must be larger than 0 and less than 1024000 bytes";
    check(Request::CreateConfig(config_spec("a", 0)), bytes);
    check(Request::CreateConfig(config_spec("a", 1_024_000)), bytes);
    check(Request::CreateConfig(config_spec("a", 1_023_999)), "yes");
    check(Request::CreateConfig(config_spec("a", 1)), "AlreadyExists: config a already exists");
    let mut driven = secret_spec("driven", 0);
    driven.driver = Some(Driver::default());
    check(Request::CreateSecret(driven.clone()), "InvalidArgument: secret driver must have a name");
    driven.driver = Some(Driver { name: "vault".to_owned(), ..Driver::default() });
    check(Request::CreateSecret(driven), "yes");
}

#[test]
fn only_labels_of_secrets_and_configs_change() {
    let state = &mut swarm();
    let Ok(Answer::Secret(secret)) = ask(state, Request::CreateSecret(secret_spec("key", 3))) else {
        panic!()
    };
    let Ok(Answer::Config(config)) = ask(state, Request::CreateConfig(config_spec("conf", 3))) else {
        panic!()
    };
    let labels = "InvalidArgument: only updates to Labels are allowed";
    let update = |spec| Request::UpdateSecret { id: secret.id, version: secret.meta.version, spec };
    assert_eq!(refusal(state, update(secret_spec("key", 2))), labels);
    assert_eq!(refusal(state, update(secret_spec("kex", 0))), labels);
    let mut labelled = secret_spec("key", 0);
    labelled.annotations.labels.insert("a".to_owned(), "b".to_owned());
    assert_eq!(refusal(state, update(labelled.clone())), "yes");
    assert_eq!(refusal(state, update(labelled)), "Unknown: update out of sequence");
    let kept = state.secrets.get(secret.id).unwrap();
    assert_eq!((kept.spec.data.len(), kept.spec.annotations.labels.len()), (3, 1));
    let update = |spec| Request::UpdateConfig { id: config.id, version: config.meta.version, spec };
    assert_eq!(refusal(state, update(config_spec("conf", 2))), labels);
    assert_eq!(refusal(state, update(config_spec("conf", 3))), "yes");
}

#[test]
fn what_a_service_uses_is_not_removed() {
    let state = &mut swarm();
    let Ok(Answer::Secret(secret)) = ask(state, Request::CreateSecret(secret_spec("key", 3))) else {
        panic!()
    };
    let mut words = Vec::new();
    for name in ["a", "b"] {
        let mut spec = ServiceSpec { annotations: named(name), ..web() };
        let file = Some(file("f"));
        container(&mut spec).secrets =
            vec![SecretReference { secret_id: secret.id, secret_name: "key".to_owned(), file }];
        ask(state, Request::CreateService(Box::new(spec))).unwrap();
        words.push(refusal(state, Request::RemoveSecret(secret.id)));
    }
    assert_eq!(words[0], "InvalidArgument: secret 'key' is in use by the following service: a");
    assert!(words[1].starts_with("InvalidArgument: secret 'key' is in use by the following services: "));
    for service in state.services.iter().map(|service| service.id).collect::<Vec<_>>() {
        ask(state, Request::RemoveService(service)).unwrap();
    }
    assert_eq!(refusal(state, Request::RemoveSecret(secret.id)), "yes");
    let id = secret.id;
    assert_eq!(refusal(state, Request::RemoveSecret(id)), format!("NotFound: could not find secret {id}"));
}

fn check_network(break_rule: impl FnOnce(&mut NetworkSpec), words: &str) {
    let mut spec = NetworkSpec { annotations: named("net"), ..NetworkSpec::default() };
    break_rule(&mut spec);
    let said = refusal(&mut swarm(), Request::CreateNetwork(Box::new(spec)));
    assert_eq!(said.replace(network("ingress").id.as_str(), "ID"), words);
}

fn subnet(subnet: &str, range: &str, gateway: &str) -> Option<IpamOptions> {
    let config = IpamConfig {
        subnet: subnet.to_owned(),
        range: range.to_owned(),
        gateway: gateway.to_owned(),
        ..IpamConfig::default()
    };
    Some(IpamOptions { driver: None, configs: vec![config] })
}

#[test]
fn a_network_that_breaks_a_rule_is_refused() {
    check_network(|spec| spec.annotations.name.clear(), "InvalidArgument: meta: name must be provided");
    check_network(
        |spec| (spec.ingress, spec.attachable) = (true, true),
        "InvalidArgument: ingress network cannot be attachable",
    );
    check_network(|spec| spec.ingress = true, "AlreadyExists: ingress network (ID) is already present");
    check_network(
        |spec| drop(spec.annotations.labels.insert(PREDEFINED_LABEL.to_owned(), String::new())),
        "PermissionDenied: label com.docker.swarm.predefined is for internally created predefined networks \
         and cannot be applied by users",
    );
    check_network(
        |spec| "ingress".clone_into(&mut spec.annotations.name),
        "Unknown: name conflicts with an existing object",
    );
    check_network(
        |spec| spec.driver_config = Some(Driver::default()),
        "InvalidArgument: driver name: if driver is specified name is required",
    );
    let check = |ipam, words| check_network(|spec| spec.ipam = ipam, words);
    check(subnet("", "", ""), "InvalidArgument: ipam configuration: subnet must be specified");
    check(subnet("10.1", "", ""), "InvalidArgument: ipam configuration: invalid subnet 10.1");
    check(subnet("10.1.0.0/33", "", ""), "InvalidArgument: ipam configuration: invalid subnet 10.1.0.0/33");
    check(
        subnet("10.1.0.0/16", "10.2.0.0/24", ""),
        "InvalidArgument: ipam configuration: subnet 10.1.0.0/16 does not contain range 10.2.0.0/24",
    );
    check(subnet("10.1.0.0/16", "x", ""), "InvalidArgument: ipam configuration: invalid range x");
    check(subnet("10.1.0.0/16", "", "x"), "InvalidArgument: ipam configuration: invalid gateway x");
    check(
        subnet("10.1.0.0/16", "", "10.2.0.1"),
        "InvalidArgument: ipam configuration: subnet 10.1.0.0/16 does not contain gateway 10.2.0.1",
    );
    check(subnet("0.0.0.0/0", "10.1.0.0/24", "10.1.0.1"), "yes");
    check(subnet("fd00::/64", "", "fd00::1"), "yes");
}

#[test]
fn a_network_in_use_is_not_removed() {
    let state = &mut swarm();
    let spec = NetworkSpec { annotations: named("net"), ..NetworkSpec::default() };
    let Ok(Answer::Network(net)) = ask(state, Request::CreateNetwork(Box::new(spec))) else { panic!() };
    let mut user = web();
    let target = net.id.to_string();
    user.task.networks = vec![NetworkAttachmentConfig { target, ..Default::default() }];
    user.endpoint = ports(ResolutionMode::Vip, &[port(80, PublishMode::Ingress)]);
    let Ok(Answer::Service(service)) = ask(state, Request::CreateService(Box::new(user))) else { panic!() };
    assert_eq!(
        refusal(state, Request::RemoveNetwork(net.id)),
        format!("FailedPrecondition: network {} is in use by service {}", net.id, service.id),
    );
    assert_eq!(
        refusal(state, Request::RemoveNetwork(network("ingress").id)),
        format!(
            "FailedPrecondition: ingress network cannot be removed because service {} depends on it",
            service.id
        ),
    );
    ask(state, Request::RemoveService(service.id)).unwrap();
    assert_eq!(refusal(state, Request::RemoveNetwork(net.id)), "yes");
    assert_eq!(refusal(state, Request::RemoveNetwork(network("ingress").id)), "yes");
}

fn manager(number: u64) -> Node {
    let mut node = node(number);
    node.spec.desired_role = NodeRole::Manager;
    node.role = NodeRole::Manager;
    let reachability = Reachability::Reachable;
    node.manager_status = Some(ManagerStatus { reachability, ..ManagerStatus::default() });
    node
}

fn demote(state: &mut State, number: u64) -> String {
    let node = state.nodes.get(node_id(number)).unwrap().clone();
    let mut spec = node.spec.clone();
    spec.desired_role = NodeRole::Worker;
    refusal(state, Request::UpdateNode { id: node.id, version: node.meta.version, spec })
}

#[test]
fn managers_are_demoted_only_while_enough_remain() {
    let mut alone = book(|draft| draft.create(manager(1)));
    assert_eq!(
        demote(&mut alone, 1),
        "FailedPrecondition: attempting to demote the last manager of the swarm"
    );
    let mut three = book(|draft| {
        for number in 1..=3 {
            draft.create(manager(number));
        }
    });
    let lost = three.nodes.get(node_id(3)).unwrap().clone();
    change(&mut three, |draft| {
        draft.edit(&lost, |node| {
            node.manager_status.as_mut().unwrap().reachability = Reachability::Unreachable;
        });
    });
    assert_eq!(
        demote(&mut three, 2),
        "FailedPrecondition: can't remove member from the raft: this would result in a loss of quorum",
    );
    assert_eq!(demote(&mut three, 3), "yes");
}

#[test]
fn only_a_node_that_is_down_or_unwanted_is_removed() {
    let mut state = book(|draft| {
        draft.create(cluster());
        draft.create(node(1));
        draft.create(manager(2));
        let mut running = task(1, 1);
        running.node_id = Some(node_id(1));
        running.status.state = TaskState::Running;
        draft.create(running);
    });
    let id = node_id(1);
    assert_eq!(
        refusal(&mut state, Request::RemoveNode { id, force: false }),
        format!("FailedPrecondition: node {id} is not down and can't be removed"),
    );
    let boss = node_id(2);
    assert_eq!(
        refusal(&mut state, Request::RemoveNode { id: boss, force: true }),
        format!(
            "FailedPrecondition: node {boss} is a cluster manager and is a member of the raft cluster. \
             It must be demoted to worker before removal"
        ),
    );
    assert_eq!(refusal(&mut state, Request::RemoveNode { id, force: true }), "yes");
    let orphan = state.tasks.iter().next().unwrap();
    assert_eq!(orphan.status.state, TaskState::Orphaned);
    assert_eq!(orphan.status.message, "Task belonged to a node that has been deleted");
    assert!(state.cluster().unwrap().blacklisted_certificates.contains_key(id.as_str()));
    assert_eq!(state.nodes.get(boss).unwrap().status.state, NodeState::Ready);
}

fn update_cluster(state: &mut State, rotation: Rotation, edit: impl FnOnce(&mut ClusterSpec)) -> String {
    let cluster = state.cluster().unwrap().clone();
    let mut spec = Box::new(cluster.spec.clone());
    edit(&mut spec);
    refusal(state, Request::UpdateCluster { id: cluster.id, version: cluster.meta.version, spec, rotation })
}

#[test]
fn the_swarms_settings_stay_in_their_bounds() {
    let check = |edit: fn(&mut ClusterSpec), words: &str| {
        assert_eq!(update_cluster(&mut swarm(), Rotation::default(), edit), words);
    };
    check(
        |spec| "other".clone_into(&mut spec.annotations.name),
        "InvalidArgument: modification of cluster name is not allowed",
    );
    check(
        |spec| spec.ca.node_cert_expiry = Some(Duration::from_secs(3599)),
        "InvalidArgument: minimum certificate expiry time is: 1h0m0s",
    );
    check(
        |spec| {
            let secret = Some((vec![1], "md5".to_owned()));
            spec.acceptance_policy = vec![RoleAdmissionPolicy { secret, ..Default::default() }];
        },
        "InvalidArgument: hashing algorithm is not supported: md5",
    );
    check(
        |spec| spec.ca.signing_ca_key = vec![1],
        "InvalidArgument: if a signing CA key is provided, the signing CA cert must also be provided",
    );
    check(|spec| spec.ca.node_cert_expiry = Some(Duration::from_secs(3600)), "yes");
}

#[test]
fn tokens_and_unlock_keys_are_drawn_anew() {
    let mut state = swarm();
    let keys = |state: &State| -> Vec<EncryptionKey> { state.cluster().unwrap().unlock_keys.clone() };
    let fresh = |key: u8, rotate_unlock_key| Rotation {
        unlock_key: Some(vec![key]),
        rotate_unlock_key,
        ..Rotation::default()
    };
    let token = Rotation { worker_token: Some("new".to_owned()), ..Rotation::default() };
    assert_eq!(update_cluster(&mut state, token, |_| ()), "yes");
    assert_eq!(state.cluster().unwrap().root_ca.join_tokens.worker, "new");
    assert_eq!(update_cluster(&mut state, fresh(1, true), |_| ()), "yes");
    assert!(keys(&state).is_empty(), "without autolock there is no key");
    assert_eq!(update_cluster(&mut state, fresh(2, false), |spec| spec.auto_lock_managers = true), "yes");
    assert_eq!(keys(&state)[0].key, [2]);
    assert_eq!(update_cluster(&mut state, fresh(3, false), |_| ()), "yes");
    assert_eq!(keys(&state)[0].key, [2], "a key is kept unless it shall be changed");
    assert_eq!(update_cluster(&mut state, fresh(4, true), |_| ()), "yes");
    assert_eq!(keys(&state)[0].key, [4]);
    assert_eq!(update_cluster(&mut state, fresh(5, true), |spec| spec.auto_lock_managers = false), "yes");
    assert!(keys(&state).is_empty());
}

#[test]
fn a_volume_has_a_driver_and_a_way_of_use_and_changes_little() {
    let state = &mut swarm();
    let mut spec = VolumeSpec { annotations: named("data"), ..VolumeSpec::default() };
    let create = |spec: &VolumeSpec| Request::CreateVolume(Box::new(spec.clone()));
    assert_eq!(refusal(state, create(&spec)), "InvalidArgument: driver must be specified");
    spec.driver = Some(Driver { name: "csi".to_owned(), ..Driver::default() });
    assert_eq!(refusal(state, create(&spec)), "InvalidArgument: AccessMode must not be nil");
    spec.access_mode = Some(VolumeAccessMode::default());
    assert_eq!(
        refusal(state, create(&spec)),
        "InvalidArgument: volume AccessMode must specify either Mount or Block access type"
    );
    spec.access_mode = Some(VolumeAccessMode { access: Some(VolumeAccess::Block), ..Default::default() });
    let Ok(Answer::Volume(volume)) = ask(state, create(&spec)) else { panic!() };
    let (id, version) = (volume.id, volume.meta.version);
    let grouped = VolumeSpec { group: "g".to_owned(), ..spec };
    assert_eq!(
        refusal(state, Request::UpdateVolume { id, version, spec: Box::new(grouped) }),
        "InvalidArgument: only updates to Labels and Availability are allowed",
    );
    assert_eq!(refusal(state, Request::RemoveVolume { id, force: false }), "yes");
    assert!(state.volumes.get(id).unwrap().pending_delete);
    assert_eq!(refusal(state, Request::RemoveVolume { id, force: true }), "yes");
}

#[test]
fn foreign_objects_belong_to_a_kind() {
    let state = &mut swarm();
    let resource = |kind: &str| Request::CreateResource {
        annotations: named("thing"),
        kind: kind.to_owned(),
        payload: None,
    };
    assert_eq!(refusal(state, resource("")), "InvalidArgument: Resource must belong to an Extension");
    assert_eq!(refusal(state, resource("kind")), "FailedPrecondition: Object kind kind is unregistered");
    let kind = || Request::CreateExtension { annotations: named("kind"), description: String::new() };
    let Ok(Answer::Extension(extension)) = ask(state, kind()) else { panic!() };
    assert_eq!(refusal(state, kind()), "AlreadyExists: extension kind already exists");
    assert_eq!(refusal(state, resource("kind")), "yes");
    assert_eq!(refusal(state, resource("kind")), "AlreadyExists: A resource with name thing already exists");
    assert_eq!(
        refusal(state, Request::RemoveExtension(extension.id)),
        "InvalidArgument: extension kind is in use by the following resources: thing",
    );
}

#[test]
fn containers_join_only_networks_that_let_them() {
    let mut state = swarm();
    change(&mut state, |draft| {
        let mut open = network("open");
        open.spec.attachable = true;
        draft.create(network("closed"));
        draft.create(open);
    });
    let attach = |target: &str| Request::AttachNetwork {
        node: node_id(1),
        config: NetworkAttachmentConfig { target: target.to_owned(), ..Default::default() },
        container_id: "c".to_owned(),
    };
    assert_eq!(refusal(&mut state, attach("none")), "NotFound: network none not found");
    assert_eq!(
        refusal(&mut state, attach("closed")),
        "PermissionDenied: network closed not manually attachable"
    );
    let Ok(Answer::Attachment(id)) = ask(&mut state, attach("open")) else { panic!() };
    assert_eq!(state.tasks.get(id).unwrap().spec.networks[0].target, network("open").id.as_str());
    assert_eq!(refusal(&mut state, Request::DetachNetwork(id)), "yes");
    assert_eq!(
        refusal(&mut state, Request::DetachNetwork(id)),
        format!("NotFound: attachment {id} not found")
    );
}

#[test]
fn a_token_tells_the_role_of_a_new_node() {
    let mut state = swarm();
    let cluster = state.cluster().unwrap().clone();
    change(&mut state, |draft| {
        draft.edit(&cluster, |cluster| {
            "worker".clone_into(&mut cluster.root_ca.join_tokens.worker);
            "master".clone_into(&mut cluster.root_ca.join_tokens.manager);
        });
    });
    let issue = |token: &str, csr: &[u8]| Request::IssueCertificate {
        token: token.to_owned(),
        csr: csr.to_vec(),
        availability: Default::default(),
    };
    assert_eq!(refusal(&mut state, issue("worker", b"")), "InvalidArgument: InvalidArgument");
    let wrong = "InvalidArgument: A valid join token is necessary to join this cluster";
    assert_eq!(refusal(&mut state, issue("", b"csr")), wrong);
    assert_eq!(refusal(&mut state, issue("worke", b"csr")), wrong);
    for (token, role) in [("worker", NodeRole::Worker), ("master", NodeRole::Manager)] {
        let Ok(Answer::Certificate(id)) = ask(&mut state, issue(token, b"csr")) else { panic!() };
        assert_eq!(state.nodes.get(id).unwrap().role, role);
    }
    let id = node_id(9);
    assert_eq!(
        refusal(&mut state, Request::RenewCertificate { node: id, csr: b"csr".to_vec() }),
        format!("NotFound: node {id} not found when attempting to renew certificate"),
    );
}
