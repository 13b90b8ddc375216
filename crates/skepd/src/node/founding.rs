//! What a swarm begins with: an authority, this node's certificate, tokens and keys.
//!
//! In: what the user wishes, the time, and chance. Out: values; nothing is written here.

use std::collections::BTreeMap;

use api::ApiError;
use api::swarm::InitRequest;
use control::leader::Founding;
use model::cluster::{
    CaConfig, Cluster, ClusterSpec, DEFAULT_CLUSTER, EncryptionKey, ExternalCa, JoinTokens, RaftConfig,
    RootCa, UNLOCK_SUBSYSTEM,
};
use model::limits::{CERT_EXPIRY_DEFAULT, CERT_EXPIRY_MIN, HEARTBEAT_PERIOD_DEFAULT, TASK_HISTORY_DEFAULT};
use model::node::{
    Availability, Certificate, IssuanceState, IssuanceStatus, Membership, Node, NodeRole, NodeSpec,
    NodeStatus,
};
use model::{Annotations, Chance, ClusterId, Meta, NodeId, Timestamp};
use pki::{Authority, Identity, Issue, JoinToken, Key, Roots, UnlockKey, Unusable};

/// What a user wishes of a new swarm, checked.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// Settings, whole.
    pub(crate) spec: ClusterSpec,
    /// Whether this node runs tasks.
    pub(crate) availability: Availability,
    /// From where overlay subnets are taken.
    pub(crate) address_pools: Vec<String>,
    /// How long the masks of those subnets are.
    pub(crate) subnet_size: u32,
    /// The UDP port of the data plane.
    pub(crate) vxlan_port: u32,
}

/// A swarm that is about to begin.
pub(crate) struct Beginning {
    /// What the leader is asked to found.
    pub(crate) founding: Founding,
    /// Who this node is.
    pub(crate) identity: Identity,
    /// The chain of its certificate, PEM.
    pub(crate) chain: Vec<u8>,
    /// Its key.
    pub(crate) key: Key,
    /// What managers seal their keys with, if they do.
    pub(crate) unlock: Option<UnlockKey>,
}

/// Draws everything that a new swarm needs.
pub(crate) fn begin(wishes: Wishes, now: Timestamp, chance: &mut Chance) -> Result<Beginning, Unusable> {
    let (cluster_id, node_id) = (ClusterId::random(chance), NodeId::random(chance));
    let authority = Authority::found(now, chance);
    let key = Key::generate();
    let spec = wishes.spec.clone();
    let expiry = spec.ca.node_cert_expiry.unwrap_or(CERT_EXPIRY_DEFAULT);
    let issue = Issue { node: node_id, cluster: cluster_id, role: NodeRole::Manager, expiry };
    let csr = key.request();
    let chain = authority.sign(&csr, issue, now, chance)?;
    let roots = Roots::from_pem(authority.certificate_pem())?;
    let identity = Identity::load(roots, &chain, &key.to_file(), now)?;
    let certificate = Certificate {
        role: NodeRole::Manager,
        csr,
        status: IssuanceStatus { state: IssuanceState::Issued, err: String::new() },
        certificate: chain.clone(),
        common_name: node_id.to_string(),
    };
    let unlock = spec.auto_lock_managers.then(|| UnlockKey::random(chance));
    let mut cluster = cluster(cluster_id, spec, &authority, &wishes, chance);
    cluster.unlock_keys = unlock.iter().map(as_encryption_key).collect();
    let founding =
        Founding { cluster, node: first_node(node_id, wishes.availability, wishes.vxlan_port, certificate) };
    Ok(Beginning { founding, identity, chain, key, unlock })
}

/// The unlock key as the cluster object holds it.
fn as_encryption_key(unlock: &UnlockKey) -> EncryptionKey {
    let key = unlock.as_bytes().to_vec();
    EncryptionKey { subsystem: UNLOCK_SUBSYSTEM.to_owned(), key, lamport_time: 0 }
}

fn cluster(
    id: ClusterId,
    spec: ClusterSpec,
    authority: &Authority,
    wishes: &Wishes,
    chance: &mut Chance,
) -> Cluster {
    let root = authority.certificate_pem();
    let join_tokens = JoinTokens {
        worker: JoinToken::random(root, chance).to_string(),
        manager: JoinToken::random(root, chance).to_string(),
    };
    let (network_bootstrap_keys, encryption_key_lamport_clock) = network_keys(chance);
    Cluster {
        id,
        meta: Meta::default(),
        spec,
        root_ca: RootCa {
            ca_key: authority.key_pem().to_vec(),
            ca_cert: root.to_vec(),
            ca_cert_hash: pki::token::root_hash(root),
            join_tokens,
            root_rotation: None,
            last_forced_rotation: 0,
        },
        network_bootstrap_keys,
        encryption_key_lamport_clock,
        blacklisted_certificates: BTreeMap::new(),
        unlock_keys: Vec::new(),
        fips: false,
        default_address_pool: wishes.address_pools.clone(),
        subnet_size: wishes.subnet_size,
        vxlan_port: wishes.vxlan_port,
    }
}

/// Three keys for each of the two subsystems, counted on from a random start (`network.md` section 3).
fn network_keys(chance: &mut Chance) -> (Vec<EncryptionKey>, u64) {
    let mut clock = chance.below(1 << 16);
    let mut keys = Vec::new();
    for subsystem in ["networking:gossip", "networking:ipsec"] {
        for _ in 0..3 {
            clock += 1;
            let key = chance.bytes::<16>().to_vec();
            keys.push(EncryptionKey { subsystem: subsystem.to_owned(), key, lamport_time: clock });
        }
    }
    (keys, clock)
}

fn first_node(id: NodeId, availability: Availability, vxlan_port: u32, certificate: Certificate) -> Node {
    Node {
        id,
        meta: Meta::default(),
        spec: NodeSpec {
            annotations: Annotations::default(),
            desired_role: NodeRole::Manager,
            membership: Membership::Accepted,
            availability,
        },
        description: None,
        status: NodeStatus::default(),
        manager_status: None,
        attachments: Vec::new(),
        certificate,
        role: NodeRole::Manager,
        vxlan_port,
    }
}

/// What holds for a swarm whose founder says nothing (`raft.md` section 1, `control.md`).
fn default_spec() -> ClusterSpec {
    ClusterSpec {
        annotations: Annotations { name: DEFAULT_CLUSTER.to_owned(), ..Annotations::default() },
        task_history_retention_limit: TASK_HISTORY_DEFAULT,
        raft: RaftConfig {
            snapshot_interval: 10_000,
            keep_old_snapshots: 0,
            log_entries_for_slow_followers: 500,
            heartbeat_tick: 1,
            election_tick: 10,
        },
        heartbeat_period: Some(HEARTBEAT_PERIOD_DEFAULT),
        ca: CaConfig { node_cert_expiry: Some(CERT_EXPIRY_DEFAULT), ..CaConfig::default() },
        ..ClusterSpec::default()
    }
}

impl Wishes {
    /// Reads and judges what a user says.
    pub(crate) fn of(request: InitRequest) -> Result<Self, ApiError> {
        let InitRequest {
            listen_addr: _,
            advertise_addr: _,
            data_path_addr: _,
            data_path_port,
            force_new_cluster: _,
            spec,
            auto_lock_managers,
            availability,
            default_addr_pool,
            subnet_size,
        } = request;
        let mut spec = spec.merge_into(default_spec())?;
        spec.auto_lock_managers |= auto_lock_managers;
        if spec.annotations.name != DEFAULT_CLUSTER {
            return Err(ApiError::invalid("swarm spec must be named \"default\""));
        }
        if spec.ca.node_cert_expiry.is_some_and(|expiry| expiry < CERT_EXPIRY_MIN) {
            return Err(ApiError::invalid("minimum certificate expiry time must be 1h0m0s"));
        }
        spec.ca.external_cas.iter().try_for_each(ExternalCa::check)?;
        if data_path_port != 0 && !(1024..=49151).contains(&data_path_port) {
            let message =
                format!("Datapath port number is not in valid range (1024-49151) : {data_path_port}");
            return Err(ApiError::internal(message));
        }
        check_pools(&default_addr_pool, subnet_size)?;
        let availability = match availability.as_str() {
            "" => Availability::Active,
            word => api::node::availability_from(word)?,
        };
        Ok(Self {
            spec,
            availability,
            address_pools: default_addr_pool,
            subnet_size,
            vxlan_port: data_path_port,
        })
    }
}

/// Pools are networks, and a subnet fits into each of them.
fn check_pools(pools: &[String], subnet_size: u32) -> Result<(), ApiError> {
    if subnet_size > SUBNET_BITS_MAX {
        return Err(ApiError::internal(format!("subnet size is out of range: {subnet_size}")));
    }
    let subnet_size = if subnet_size == 0 { SUBNET_BITS_DEFAULT } else { subnet_size };
    for pool in pools {
        let parts = pool.split_once('/').and_then(|(ip, bits)| {
            Some((
                ip.parse::<std::net::Ipv4Addr>().ok()?,
                bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?,
            ))
        });
        let Some((_, bits)) = parts else {
            return Err(ApiError::internal(format!("invalid CIDR address: {pool}")));
        };
        if bits > subnet_size {
            return Err(ApiError::internal(format!(
                "invalid CIDR: {pool:?}. Subnet size is too small for pool: {subnet_size}"
            )));
        }
    }
    Ok(())
}

/// The longest mask of a subnet, so that a few addresses are left.
const SUBNET_BITS_MAX: u32 = 29;
/// The mask of a subnet if nothing is said.
const SUBNET_BITS_DEFAULT: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_that_break_a_rule_are_refused() {
        let external = r#"{"Spec":{"Name":"default","CAConfig":{"ExternalCAs":[{"Protocol":"cfssl","URL":"http://ca"}]}}}"#;
        for (wish, why) in [
            (
                external,
                "rpc error: code = InvalidArgument desc = the URL of an external CA must be https: \"http://ca\"",
            ),
            (r#"{"Spec":{"Name":"mine"}}"#, "swarm spec must be named \"default\""),
            (r#"{"DataPathPort":80}"#, "Datapath port number is not in valid range (1024-49151) : 80"),
            (
                r#"{"DefaultAddrPool":["10.0.0.0/30"]}"#,
                "invalid CIDR: \"10.0.0.0/30\". Subnet size is too small for pool: 24",
            ),
        ] {
            let refused = Wishes::of(api::read(wish.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(refused.message, why);
        }
    }
}
