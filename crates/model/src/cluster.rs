//! The swarm itself: its settings, its authority and its keys.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::ClusterId;
use crate::meta::{Annotations, Driver, Meta};
use crate::node::NodeRole;
use crate::refusal::Refusal;
use crate::time::{Duration, Timestamp};

/// The one cluster object of a swarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its id, which every certificate names as organization.
    pub id: ClusterId,
    /// Version and times.
    pub meta: Meta,
    /// What users set.
    pub spec: ClusterSpec,
    /// Who signs certificates.
    pub root_ca: RootCa,
    /// Keys of the data plane.
    pub network_bootstrap_keys: Vec<EncryptionKey>,
    /// Counts the keys ever made.
    pub encryption_key_lamport_clock: u64,
    /// Common names that may no longer speak, until when their certificates would have been valid.
    pub blacklisted_certificates: BTreeMap<String, Option<Timestamp>>,
    /// What unlocks a manager after its restart; empty if it needs no unlocking.
    pub unlock_keys: Vec<EncryptionKey>,
    /// Whether only nodes in FIPS mode may join.
    pub fips: bool,
    /// From where overlay subnets are taken, CIDR; empty means `10.0.0.0/8`.
    pub default_address_pool: Vec<String>,
    /// How long the masks of those subnets are; 0 means 24.
    pub subnet_size: u32,
    /// The UDP port of the data plane; 0 means 4789.
    pub vxlan_port: u32,
}

/// What users set for the whole swarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSpec {
    /// The name, always `default`, and labels.
    pub annotations: Annotations,
    /// Who may join: a form that tokens have replaced, kept for old managers.
    pub acceptance_policy: Vec<RoleAdmissionPolicy>,
    /// How many tasks are kept for each slot; negative means all, absent means 5.
    pub task_history_retention_limit: i64,
    /// The Raft group.
    pub raft: RaftConfig,
    /// How often nodes must be heard; absent means 5 s.
    pub heartbeat_period: Option<Duration>,
    /// Certificates.
    pub ca: CaConfig,
    /// Where tasks' output goes if their service does not say.
    pub default_log_driver: Option<Driver>,
    /// Whether managers must be unlocked after a restart.
    pub auto_lock_managers: bool,
}

/// Who may join in a role without a token; no longer acted upon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleAdmissionPolicy {
    /// The role.
    pub role: NodeRole,
    /// Whether at once.
    pub autoaccept: bool,
    /// The hash of a word to know, and how it was made.
    pub secret: Option<(Vec<u8>, String)>,
}

/// The Raft group's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RaftConfig {
    /// Entries between snapshots.
    pub snapshot_interval: u64,
    /// Old snapshots to keep.
    pub keep_old_snapshots: u64,
    /// Entries kept after a snapshot for slow followers.
    pub log_entries_for_slow_followers: u64,
    /// Ticks between heartbeats.
    pub heartbeat_tick: u32,
    /// Ticks without a leader until an election.
    pub election_tick: u32,
}

/// Certificates' settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CaConfig {
    /// How long node certificates are valid; absent means 90 days.
    pub node_cert_expiry: Option<Duration>,
    /// Signers outside the swarm.
    pub external_cas: Vec<ExternalCa>,
    /// The root that shall sign, PEM; empty means the swarm's own.
    pub signing_ca_cert: Vec<u8>,
    /// Its key, PEM.
    pub signing_ca_key: Vec<u8>,
    /// Counts the rotations that users forced.
    pub force_rotate: u64,
}

impl fmt::Debug for CaConfig {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaConfig").field("node_cert_expiry", &self.node_cert_expiry).finish_non_exhaustive()
    }
}

/// A signer outside the swarm, speaking cfssl's protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalCa {
    /// Where, always `https`.
    pub url: String,
    /// Options for it.
    pub options: BTreeMap<String, String>,
    /// The root it signs for, PEM; empty means the present one.
    pub ca_cert: Vec<u8>,
}

impl ExternalCa {
    /// Judges where it is said to be.
    ///
    /// # Errors
    /// If not at an `https` URL.
    pub fn check(&self) -> Result<(), Refusal> {
        let is_https = self.url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if is_https {
            return Ok(());
        }
        Err(Refusal::invalid(format!("the URL of an external CA must be https: {:?}", self.url)))
    }
}

/// Who signs certificates.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RootCa {
    /// The key, PEM; empty if only external signers have it.
    pub ca_key: Vec<u8>,
    /// The trusted roots, PEM.
    pub ca_cert: Vec<u8>,
    /// `sha256:` and the digest of `ca_cert` in hexadecimal.
    pub ca_cert_hash: String,
    /// What a new node must know.
    pub join_tokens: JoinTokens,
    /// The root that shall follow, while a rotation goes on.
    pub root_rotation: Option<RootRotation>,
    /// The latest forced rotation that was begun.
    pub last_forced_rotation: u64,
}

impl fmt::Debug for RootCa {
    /// Leaves out keys and tokens: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootCa").field("ca_cert_hash", &self.ca_cert_hash).finish_non_exhaustive()
    }
}

/// What a new node must know.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JoinTokens {
    /// To join as a worker.
    pub worker: String,
    /// To join as a manager.
    pub manager: String,
}

impl fmt::Debug for JoinTokens {
    /// Leaves out the tokens: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinTokens")
    }
}

/// A root that shall follow the present one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RootRotation {
    /// The new root, PEM.
    pub ca_cert: Vec<u8>,
    /// Its key, PEM.
    pub ca_key: Vec<u8>,
    /// The new root signed by the old one, PEM.
    pub cross_signed_ca_cert: Vec<u8>,
}

impl fmt::Debug for RootRotation {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootRotation")
    }
}

/// A symmetric key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EncryptionKey {
    /// What for: `networking:gossip`, `networking:ipsec`, `swarm-manager`.
    pub subsystem: String,
    /// The bytes, for AES-128-GCM in the data plane.
    pub key: Vec<u8>,
    /// Which came first.
    pub lamport_time: u64,
}

impl fmt::Debug for EncryptionKey {
    /// Leaves out the bytes: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({} {})", self.subsystem, self.lamport_time)
    }
}

/// The subsystem of the keys that unlock managers.
pub const UNLOCK_SUBSYSTEM: &str = "swarm-manager";
/// The name of the one cluster object.
pub const DEFAULT_CLUSTER: &str = "default";
