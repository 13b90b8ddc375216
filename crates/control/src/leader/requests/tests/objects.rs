//! The rules of everything that is no service.

use model::cluster::{ClusterSpec, EncryptionKey, ExternalCa, RoleAdmissionPolicy, RootCa, RootRotation};
use model::network::{IpamConfig, IpamOptions, PREDEFINED_LABEL};
use model::node::{ManagerStatus, NodeRole, NodeState, Reachability};
use model::spec::container::SecretReference;
use model::spec::endpoint::{NetworkAttachmentConfig, PublishMode, ResolutionMode};
use model::volume::{VolumeAccess, VolumeAccessMode, VolumeSpec};
use model::{Driver, Duration, NetworkSpec, Node, ServiceSpec, TaskState};
use store::State;

use super::{ask, config_spec, container, file, named, port, ports, refusal, secret_spec, swarm, web};
use crate::leader::fixtures::{book, change, cluster, network, node, node_id, task};
use crate::leader::request::{Answer, Request, Rotation};

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
fn a_manager_that_is_not_in_the_group_can_be_demoted() {
    let mut state = book(|draft| {
        draft.create(manager(1));
        draft.create(Node { manager_status: None, ..manager(2) });
    });
    assert_eq!(demote(&mut state, 2), "yes");
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
    check(
        |spec| {
            let url = "http://ca.example/sign".to_owned();
            spec.ca.external_cas = vec![ExternalCa { url, ..ExternalCa::default() }];
        },
        "InvalidArgument: the URL of an external CA must be https: \"http://ca.example/sign\"",
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
fn an_authority_changes_but_its_tokens_stay() {
    let mut state = swarm();
    let token = Rotation { worker_token: Some("kept".to_owned()), ..Rotation::default() };
    assert_eq!(update_cluster(&mut state, token, |_| ()), "yes");
    let rotation = RootRotation { ca_cert: b"new".to_vec(), ..RootRotation::default() };
    let root = RootCa { root_rotation: Some(rotation), last_forced_rotation: 1, ..RootCa::default() };
    let authority = Rotation { authority: Some(Box::new(root.clone())), ..Rotation::default() };
    assert_eq!(update_cluster(&mut state, authority, |spec| spec.ca.force_rotate = 1), "yes");
    let now = state.cluster().unwrap().root_ca.clone();
    assert_eq!(now.join_tokens.worker, "kept");
    assert_eq!(RootCa { join_tokens: Default::default(), ..now }, root);
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

#[test]
fn a_token_that_was_mangled_or_drawn_anew_opens_nothing() {
    let mut state = swarm();
    let issue = |token: &str| Request::IssueCertificate {
        token: token.to_owned(),
        csr: b"csr".to_vec(),
        availability: Default::default(),
    };
    let draw = |state: &mut State, token: &str| {
        let rotation = Rotation { manager_token: Some(token.to_owned()), ..Rotation::default() };
        assert_eq!(update_cluster(state, rotation, |_| ()), "yes");
    };
    let wrong = "InvalidArgument: A valid join token is necessary to join this cluster";
    draw(&mut state, "first");
    for place in 0..5 {
        let mut mangled = b"first".to_vec();
        mangled[place] ^= 1;
        assert_eq!(refusal(&mut state, issue(std::str::from_utf8(&mangled).unwrap())), wrong, "at {place}");
    }
    let nodes = state.nodes.iter().count();
    draw(&mut state, "second");
    assert_eq!(refusal(&mut state, issue("first")), wrong);
    assert_eq!(state.nodes.iter().count(), nodes, "nothing was made");
    assert_eq!(refusal(&mut state, issue("second")), "yes");
}
