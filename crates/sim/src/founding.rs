//! The book with which a pretended swarm begins: a cluster, its nodes, the network of the routing mesh.

use model::cluster::{DEFAULT_CLUSTER, RootCa};
use model::node::{
    Availability, Certificate, EngineDescription, ManagerStatus, Membership, NodeDescription, NodeRole,
    NodeStatus, PluginDescription, Reachability,
};
use model::spec::resources::{Platform, Resources};
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Duration, Meta, Network, NetworkId, NetworkSpec,
    Node, NodeId, NodeSpec, Timestamp,
};
use store::{Draft, State};

use crate::node::SimNode;
use crate::swarm::NodeNumber;

/// When every story begins.
pub fn beginning() -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(1_000_000)
}

/// The book, and a machine for each name; the first is the manager.
pub fn found(names: &[String], chance: &mut Chance) -> (State, Vec<SimNode>) {
    let state = State { index: 1, ..State::default() };
    let mut draft = Draft::of(&state, beginning());
    draft.create(cluster(ClusterId::random(chance)));
    draft.create(mesh(NetworkId::random(chance)));
    let mut machines = Vec::new();
    let mut ids: Vec<NodeId> = names.iter().map(|_| NodeId::random(chance)).collect();
    ids.sort_unstable(); // Ties are broken by id: so the first names come first, which is easier to follow.
    for (place, (name, id)) in names.iter().zip(ids).enumerate() {
        draft.create(node(id, place));
        machines.push(SimNode::new(NodeNumber(place as u32), id, description(name)));
    }
    let mut state = State { index: 1, ..State::default() };
    let changes = draft.into_changes();
    state.apply(2, &changes);
    (state, machines)
}

fn cluster(id: ClusterId) -> Cluster {
    let spec = ClusterSpec {
        annotations: Annotations { name: DEFAULT_CLUSTER.to_owned(), ..Annotations::default() },
        task_history_retention_limit: model::limits::TASK_HISTORY_DEFAULT,
        ..ClusterSpec::default()
    };
    Cluster {
        id,
        meta: Meta::default(),
        spec,
        root_ca: RootCa::default(),
        network_bootstrap_keys: Vec::new(),
        encryption_key_lamport_clock: 0,
        blacklisted_certificates: Default::default(),
        unlock_keys: Vec::new(),
        fips: false,
        default_address_pool: Vec::new(),
        subnet_size: 0,
        vxlan_port: 0,
    }
}

fn mesh(id: NetworkId) -> Network {
    let annotations = Annotations { name: "ingress".to_owned(), ..Annotations::default() };
    Network {
        id,
        meta: Meta::default(),
        spec: NetworkSpec { annotations, ingress: true, ..NetworkSpec::default() },
        driver_state: None,
        ipam: None,
        pending_delete: false,
        extra: None,
    }
}

fn node(id: NodeId, place: usize) -> Node {
    let leads = place == 0;
    let role = if leads { NodeRole::Manager } else { NodeRole::Worker };
    let status = ManagerStatus {
        raft_id: 1,
        addr: "10.99.0.0:2377".to_owned(),
        leader: true,
        reachability: Reachability::Reachable,
    };
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
        manager_status: leads.then_some(status),
        attachments: Vec::new(),
        certificate: Certificate { role, common_name: id.to_string(), ..Certificate::default() },
        role,
        vxlan_port: 0,
    }
}

/// What a machine says of itself: 4 processors and 8 GiB.
fn description(name: &str) -> NodeDescription {
    let plugin = |kind: &str, name: &str| PluginDescription { kind: kind.to_owned(), name: name.to_owned() };
    let plugins = vec![plugin("Network", "overlay"), plugin("Volume", "local")];
    NodeDescription {
        hostname: name.to_owned(),
        platform: Some(Platform { architecture: "x86_64".to_owned(), os: "linux".to_owned() }),
        resources: Some(Resources { nano_cpus: 4_000_000_000, memory_bytes: 8 << 30, generic: Vec::new() }),
        engine: Some(EngineDescription { plugins, ..EngineDescription::default() }),
        ..NodeDescription::default()
    }
}
