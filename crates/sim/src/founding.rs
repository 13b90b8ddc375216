//! What a pretended swarm begins with: the log of its founder. In it are a cluster, its nodes, the network of the
//! routing mesh.

use model::cluster::{DEFAULT_CLUSTER, RaftConfig, RootCa};
use model::node::{
    Availability, Certificate, EngineDescription, ManagerStatus, Membership, NodeDescription, NodeRole,
    NodeStatus, PluginDescription, Reachability,
};
use model::spec::resources::{Platform, Resources};
use model::{
    Annotations, Chance, Cluster, ClusterId, ClusterSpec, Duration, Meta, Network, NetworkId, NetworkSpec,
    Node, NodeId, NodeSpec, Timestamp,
};
use raft::{Entry, HardState, Payload, ReplicaId, Stored};
use store::{Draft, State};

use crate::archive::{Archive, context};
use crate::node::{SimNode, address};
use crate::swarm::{NodeNumber, Plan};

/// The founder's replica.
pub const FIRST: ReplicaId = 1;

/// What a swarm begins with.
#[derive(Debug)]
pub struct Founded {
    /// The founder's log.
    pub stored: Stored,
    /// What its bytes stand for.
    pub archive: Archive,
    /// The machines.
    pub nodes: Vec<SimNode>,
}

/// When every story begins.
pub fn beginning() -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(1_000_000)
}

/// The founder's log, and a machine for each name; the first founds the swarm.
pub fn found(plan: &Plan, chance: &mut Chance) -> Founded {
    let mut draft = Draft::of(&State { index: 1, ..State::default() }, beginning());
    draft.create(cluster(ClusterId::random(chance), plan));
    draft.create(mesh(NetworkId::random(chance)));
    let mut nodes = Vec::new();
    let mut ids: Vec<NodeId> = plan.names.iter().map(|_| NodeId::random(chance)).collect();
    ids.sort_unstable(); // Ties are broken by id: so the first names come first, which is easier to follow.
    for (number, (name, id)) in (0..).map(NodeNumber).zip(plan.names.iter().zip(ids)) {
        draft.create(node(id, number));
        nodes.push(SimNode::new(number, id, description(name), vec![NodeNumber(0)]));
    }
    let mut archive = Archive::default();
    let payload = Payload::Data(archive.keep(draft.into_changes()));
    let mut stored = Stored::founding(FIRST, context(NodeNumber(0)));
    stored.entries.push(Entry { term: 1, index: 2, payload });
    stored.hard_state = HardState { commit: 2, ..stored.hard_state };
    Founded { stored, archive, nodes }
}

fn cluster(id: ClusterId, plan: &Plan) -> Cluster {
    let spec = ClusterSpec {
        annotations: Annotations { name: DEFAULT_CLUSTER.to_owned(), ..Annotations::default() },
        raft: RaftConfig {
            snapshot_interval: plan.snapshot_interval,
            log_entries_for_slow_followers: plan.snapshot_interval / 4,
            ..RaftConfig::default()
        },
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

fn node(id: NodeId, number: NodeNumber) -> Node {
    let leads = number == NodeNumber(0);
    let role = if leads { NodeRole::Manager } else { NodeRole::Worker };
    let status = ManagerStatus {
        raft_id: FIRST,
        addr: format!("{}:2377", address(number)),
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
