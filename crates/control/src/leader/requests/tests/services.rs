//! The rules of services.

use model::meta::Payload;
use model::service::{UpdateState, UpdateStatus};
use model::spec::container::{ConfigReference, ConfigTarget, HealthConfig, SecretReference};
use model::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PublishMode, ResolutionMode};
use model::spec::mount::Mount;
use model::spec::placement::Placement;
use model::spec::privileges::{CredentialSpec, Privileges};
use model::spec::resources::{ResourceRequirements, Resources};
use model::spec::task::GenericSpec;
use model::spec::update::UpdateConfig;
use model::{Duration, Runtime, ServiceMode, ServiceSpec, Version};
use store::State;

use super::{NOW, ask, config_spec, container, file, named, port, ports, refusal, secret_spec, swarm, web};
use crate::leader::fixtures::{change, network, service_id};
use crate::leader::request::{Answer, Request, Rollback};

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
