//! Small objects for tests: a node, a service, a task, a network, each from a number or a name.

use std::collections::BTreeMap;

use model::cluster::{DEFAULT_CLUSTER, RootCa};
use model::limits::TASK_HISTORY_DEFAULT;
use model::network::IpamOptions;
use model::node::{Availability, Certificate, NodeDescription, NodeRole, NodeState, NodeStatus};
use model::spec::resources::Resources;
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Meta, Network, NetworkId, NetworkSpec, Node,
    NodeId, NodeSpec, Service, ServiceId, ServiceSpec, Task, TaskId, TaskSpec, TaskState, TaskStatus,
    Timestamp, Version,
};
use store::{Draft, State};

/// A book that holds what `fill` drafts.
pub(super) fn book(fill: impl FnOnce(&mut Draft)) -> State {
    let mut state = State { index: 1, ..State::default() };
    change(&mut state, fill);
    state
}

/// Commits what `fill` drafts, and returns the changes.
pub(super) fn change(state: &mut State, fill: impl FnOnce(&mut Draft)) -> Vec<store::Change> {
    let mut draft = Draft::of(state, Timestamp::EPOCH);
    fill(&mut draft);
    let changes = draft.into_changes();
    state.apply(state.index + 1, &changes);
    changes
}

pub(super) fn node_id(number: u64) -> NodeId {
    format!("node{number:021}").parse().unwrap()
}

pub(super) fn service_id(number: u64) -> ServiceId {
    format!("service{number:018}").parse().unwrap()
}

pub(super) fn task_id(number: u64) -> TaskId {
    format!("task{number:021}").parse().unwrap()
}

/// A node that is ready, with 4 processors and 8 GiB.
pub(super) fn node(number: u64) -> Node {
    let resources = Resources { nano_cpus: 4_000_000_000, memory_bytes: 8 << 30, generic: Vec::new() };
    Node {
        id: node_id(number),
        meta: Meta::default(),
        spec: NodeSpec { availability: Availability::Active, ..NodeSpec::default() },
        description: Some(NodeDescription {
            hostname: format!("n{number}"),
            resources: Some(resources),
            ..NodeDescription::default()
        }),
        status: NodeStatus {
            state: NodeState::Ready,
            message: String::new(),
            addr: format!("10.9.0.{number}"),
        },
        manager_status: None,
        attachments: Vec::new(),
        certificate: Certificate::default(),
        role: NodeRole::Worker,
        vxlan_port: 0,
    }
}

/// A service without tasks.
pub(super) fn service(number: u64) -> Service {
    let annotations = Annotations { name: format!("s{number}"), ..Annotations::default() };
    Service {
        id: service_id(number),
        meta: Meta::default(),
        spec: ServiceSpec { annotations, ..ServiceSpec::default() },
        spec_version: Some(Version::default()),
        previous_spec: None,
        previous_spec_version: None,
        endpoint: None,
        update_status: None,
        pending_delete: false,
        job_status: None,
    }
}

/// A new task of the service with this number; its own number is its slot too.
pub(super) fn task(number: u64, service: u64) -> Task {
    Task {
        id: task_id(number),
        meta: Meta::default(),
        spec: TaskSpec::default(),
        service_id: Some(service_id(service)),
        slot: number,
        node_id: None,
        annotations: Annotations::default(),
        service_annotations: Annotations::default(),
        status: TaskStatus::default(),
        desired_state: TaskState::Running,
        networks: Vec::new(),
        endpoint: None,
        log_driver: None,
        spec_version: Some(Version::default()),
        assigned_generic_resources: Vec::new(),
        job_iteration: None,
        volumes: Vec::new(),
    }
}

/// The same task in another state.
pub(super) fn in_state(mut task: Task, state: TaskState) -> Task {
    task.status.state = state;
    task
}

/// A network that wishes nothing.
pub(super) fn network(name: &str) -> Network {
    let seed = name.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let annotations = Annotations { name: name.to_owned(), ..Annotations::default() };
    Network {
        id: NetworkId::random(&mut Chance::from_number(seed)),
        meta: Meta::default(),
        spec: NetworkSpec { annotations, ingress: name == "ingress", ..NetworkSpec::default() },
        driver_state: None,
        ipam: None::<IpamOptions>,
        pending_delete: false,
        extra: None,
    }
}

/// The swarm itself, with the usual settings.
pub(super) fn cluster() -> Cluster {
    let annotations = Annotations { name: DEFAULT_CLUSTER.to_owned(), ..Annotations::default() };
    let spec = ClusterSpec {
        annotations,
        task_history_retention_limit: TASK_HISTORY_DEFAULT,
        ..ClusterSpec::default()
    };
    Cluster {
        id: ClusterId::random(&mut Chance::from_number(5)),
        meta: Meta::default(),
        spec,
        root_ca: RootCa::default(),
        network_bootstrap_keys: Vec::new(),
        encryption_key_lamport_clock: 0,
        blacklisted_certificates: BTreeMap::new(),
        unlock_keys: Vec::new(),
        fips: false,
        default_address_pool: Vec::new(),
        subnet_size: 0,
        vxlan_port: 0,
    }
}
