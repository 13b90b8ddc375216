//! The swarm itself.

use std::collections::BTreeMap;

use model::cluster as nouns;
use model::{Cluster, Duration, Labels, limits};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::{is_zero, null_if_empty};
use crate::meta::{DriverConfig, ObjectVersion};
use crate::node::TlsInfo;
use crate::time::{Time, duration, nanos};

/// The swarm, as managers show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Swarm {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// What users set.
    pub spec: SwarmSpec,
    /// What certificates hang on.
    #[serde(rename = "TLSInfo")]
    pub tls_info: TlsInfo,
    /// Whether the root is being replaced.
    pub root_rotation_in_progress: bool,
    /// From where overlay subnets are taken.
    #[serde(serialize_with = "null_if_empty")]
    pub default_addr_pool: Vec<String>,
    /// How long the masks of those subnets are.
    pub subnet_size: u32,
    /// The UDP port of the data plane.
    pub data_path_port: u32,
    /// What a new node must know; absent in `/info`.
    #[serde(skip_serializing_if = "is_zero")]
    pub join_tokens: Option<JoinTokens>,
}

/// What a new node must know.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JoinTokens {
    /// To join as a worker.
    pub worker: String,
    /// To join as a manager.
    pub manager: String,
}

impl std::fmt::Debug for JoinTokens {
    /// Leaves out the tokens: they must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinTokens")
    }
}

/// What users set for the whole swarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmSpec {
    /// Always `default`.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Tasks that are kept.
    pub orchestration: OrchestrationConfig,
    /// The Raft group.
    pub raft: RaftConfig,
    /// Conversations with nodes.
    pub dispatcher: DispatcherConfig,
    /// Certificates.
    #[serde(rename = "CAConfig")]
    pub ca_config: CaConfig,
    /// What services that say nothing get.
    pub task_defaults: TaskDefaults,
    /// Encryption at rest.
    pub encryption_config: EncryptionConfig,
}

/// Tasks that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OrchestrationConfig {
    /// So many for each slot; negative means all.
    #[serde(skip_serializing_if = "is_zero")]
    pub task_history_retention_limit: Option<i64>,
}

/// The Raft group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RaftConfig {
    /// Entries between snapshots.
    #[serde(skip_serializing_if = "is_zero")]
    pub snapshot_interval: u64,
    /// Old snapshots to keep.
    #[serde(skip_serializing_if = "is_zero")]
    pub keep_old_snapshots: Option<u64>,
    /// Entries kept after a snapshot for slow followers.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_entries_for_slow_followers: u64,
    /// Ticks without a leader until an election.
    pub election_tick: i64,
    /// Ticks between heartbeats.
    pub heartbeat_tick: i64,
}

/// Conversations with nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DispatcherConfig {
    /// How often nodes must be heard, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub heartbeat_period: i64,
}

/// Certificates.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CaConfig {
    /// How long node certificates are valid, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub node_cert_expiry: i64,
    /// Signers outside the swarm.
    #[serde(rename = "ExternalCAs", skip_serializing_if = "is_zero")]
    pub external_cas: Vec<ExternalCa>,
    /// The root that shall sign, PEM; never in an answer.
    #[serde(rename = "SigningCACert", skip_serializing_if = "is_zero")]
    pub signing_ca_cert: String,
    /// Its key, PEM; never in an answer.
    #[serde(rename = "SigningCAKey", skip_serializing_if = "is_zero")]
    pub signing_ca_key: String,
    /// Counts the rotations that users forced.
    #[serde(skip_serializing_if = "is_zero")]
    pub force_rotate: u64,
}

impl std::fmt::Debug for CaConfig {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaConfig").field("node_cert_expiry", &self.node_cert_expiry).finish_non_exhaustive()
    }
}

/// A signer outside the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExternalCa {
    /// Always `cfssl`.
    pub protocol: String,
    /// Where.
    #[serde(rename = "URL")]
    pub url: String,
    /// Options for it.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, String>,
    /// The root it signs for, PEM.
    #[serde(rename = "CACert")]
    pub ca_cert: String,
}

/// What services that say nothing get. Neither read nor written by managers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskDefaults {
    /// Where output goes.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_driver: Option<DriverConfig>,
}

/// Encryption at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EncryptionConfig {
    /// Whether managers must be unlocked after a restart.
    pub auto_lock_managers: bool,
}

/// `POST /swarm/init`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InitRequest {
    /// Where to listen.
    pub listen_addr: String,
    /// Where others reach this node.
    pub advertise_addr: String,
    /// Where containers of others reach this node.
    pub data_path_addr: String,
    /// The UDP port of the data plane.
    pub data_path_port: u32,
    /// Makes a group of one out of what is left of a lost group.
    pub force_new_cluster: bool,
    /// Settings.
    pub spec: SwarmSpec,
    /// Whether managers must be unlocked after a restart.
    pub auto_lock_managers: bool,
    /// Whether this node may run tasks.
    pub availability: String,
    /// From where overlay subnets are taken.
    #[serde(serialize_with = "null_if_empty")]
    pub default_addr_pool: Vec<String>,
    /// How long the masks of those subnets are.
    pub subnet_size: u32,
}

/// `POST /swarm/join`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JoinRequest {
    /// Where to listen.
    pub listen_addr: String,
    /// Where others reach this node.
    pub advertise_addr: String,
    /// Where containers of others reach this node.
    pub data_path_addr: String,
    /// Managers to ask.
    pub remote_addrs: Vec<String>,
    /// What lets it in.
    pub join_token: String,
    /// Whether this node may run tasks.
    pub availability: String,
}

/// `POST /swarm/unlock`, and the answer of `GET /swarm/unlockkey`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UnlockKey {
    /// `SWMKEY-1-…`, or nothing.
    pub unlock_key: String,
}

impl std::fmt::Debug for UnlockKey {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnlockKey")
    }
}

/// The section `Swarm` of `/info`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmInfo {
    /// This node.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Where others reach it.
    pub node_addr: String,
    /// `inactive`, `pending`, `active`, `error` or `locked`.
    pub local_node_state: String,
    /// Whether it is a manager that works.
    pub control_available: bool,
    /// What is wrong.
    pub error: String,
    /// Managers it knows.
    #[serde(serialize_with = "null_if_empty")]
    pub remote_managers: Vec<Peer>,
    /// So many nodes there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub nodes: u64,
    /// So many of them are managers.
    #[serde(skip_serializing_if = "is_zero")]
    pub managers: u64,
    /// The swarm, without its tokens.
    #[serde(skip_serializing_if = "is_zero")]
    pub cluster: Option<Swarm>,
    /// What the user should know.
    #[serde(skip_serializing_if = "is_zero")]
    pub warnings: Vec<String>,
}

/// A manager that a node knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peer {
    /// Its id.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Where it is.
    pub addr: String,
}

impl SwarmSpec {
    /// The whole of the model's settings: what is left out becomes nothing.
    pub fn into_model(self) -> Result<nouns::ClusterSpec, ApiError> {
        let name = if self.name.is_empty() { nouns::DEFAULT_CLUSTER.to_owned() } else { self.name.clone() };
        let empty = nouns::ClusterSpec {
            annotations: crate::meta::annotations(name, Labels::new()),
            ..nouns::ClusterSpec::default()
        };
        self.merge_into(empty)
    }

    /// The given settings with these over them: what is left out stays.
    pub fn merge_into(self, mut spec: nouns::ClusterSpec) -> Result<nouns::ClusterSpec, ApiError> {
        let Self {
            name,
            labels,
            orchestration,
            raft,
            dispatcher,
            ca_config,
            task_defaults: _, // no manager has ever heeded them
            encryption_config: EncryptionConfig { auto_lock_managers },
        } = self;
        if !name.is_empty() {
            spec.annotations.name = name;
        }
        if !labels.is_empty() {
            spec.annotations.labels = labels;
        }
        if let Some(limit) = orchestration.task_history_retention_limit {
            spec.task_history_retention_limit = limit;
        }
        raft.merge_into(&mut spec.raft)?;
        if dispatcher.heartbeat_period != 0 {
            let refusal = "rpc error: code = InvalidArgument desc = heartbeat time period cannot be a negative duration";
            spec.heartbeat_period = Some(duration(dispatcher.heartbeat_period, refusal)?);
        }
        ca_config.merge_into(&mut spec.ca)?;
        spec.auto_lock_managers = auto_lock_managers;
        Ok(spec)
    }
}

impl RaftConfig {
    fn merge_into(self, raft: &mut nouns::RaftConfig) -> Result<(), ApiError> {
        let Self {
            snapshot_interval,
            keep_old_snapshots,
            log_entries_for_slow_followers,
            election_tick,
            heartbeat_tick,
        } = self;
        let tick = |value: i64, field: &str| {
            u32::try_from(value)
                .map_err(|_| ApiError::invalid(format!("Raft.{field} {value} is out of range")))
        };
        if snapshot_interval != 0 {
            raft.snapshot_interval = snapshot_interval;
        }
        if let Some(keep) = keep_old_snapshots {
            raft.keep_old_snapshots = keep;
        }
        if log_entries_for_slow_followers != 0 {
            raft.log_entries_for_slow_followers = log_entries_for_slow_followers;
        }
        if election_tick != 0 {
            raft.election_tick = tick(election_tick, "ElectionTick")?;
        }
        if heartbeat_tick != 0 {
            raft.heartbeat_tick = tick(heartbeat_tick, "HeartbeatTick")?;
        }
        Ok(())
    }
}

impl CaConfig {
    fn merge_into(self, ca: &mut nouns::CaConfig) -> Result<(), ApiError> {
        let Self { node_cert_expiry, external_cas, signing_ca_cert, signing_ca_key, force_rotate } = self;
        if node_cert_expiry != 0 {
            let refusal = "CAConfig.NodeCertExpiry cannot be negative";
            ca.node_cert_expiry = Some(duration(node_cert_expiry, refusal)?);
        }
        if !external_cas.is_empty() {
            ca.external_cas =
                external_cas.into_iter().map(ExternalCa::into_model).collect::<Result<_, _>>()?;
        }
        ca.signing_ca_cert = signing_ca_cert.into_bytes();
        ca.signing_ca_key = signing_ca_key.into_bytes();
        ca.force_rotate = force_rotate;
        Ok(())
    }
}

impl ExternalCa {
    fn into_model(self) -> Result<nouns::ExternalCa, ApiError> {
        let Self { protocol, url, options, ca_cert } = self;
        if !protocol.eq_ignore_ascii_case("cfssl") {
            return Err(ApiError::invalid(format!("invalid CAProtocol: \"{protocol}\"")));
        }
        Ok(nouns::ExternalCa { url, options, ca_cert: ca_cert.into_bytes() })
    }
}

impl Swarm {
    /// The swarm without its tokens, as `/info` shows it.
    pub fn without_tokens(cluster: &Cluster, tls_info: TlsInfo) -> Self {
        let Cluster {
            id,
            meta,
            spec,
            root_ca,
            network_bootstrap_keys: _,
            encryption_key_lamport_clock: _,
            blacklisted_certificates: _,
            unlock_keys: _,
            fips: _,
            default_address_pool,
            subnet_size,
            vxlan_port,
        } = cluster;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: SwarmSpec::from(spec),
            tls_info,
            root_rotation_in_progress: root_ca.root_rotation.is_some(),
            default_addr_pool: default_address_pool.clone(),
            subnet_size: if *subnet_size == 0 { SUBNET_SIZE_DEFAULT } else { *subnet_size },
            data_path_port: if *vxlan_port == 0 { DATA_PATH_PORT_DEFAULT } else { *vxlan_port },
            join_tokens: None,
        }
    }

    /// The swarm with its tokens, as managers show it.
    pub fn with_tokens(cluster: &Cluster, tls_info: TlsInfo) -> Self {
        let nouns::JoinTokens { worker, manager } = cluster.root_ca.join_tokens.clone();
        let join_tokens = Some(JoinTokens { worker, manager });
        Self { join_tokens, ..Self::without_tokens(cluster, tls_info) }
    }
}

impl From<&nouns::ClusterSpec> for SwarmSpec {
    /// Signing certificate and key stay behind.
    fn from(spec: &nouns::ClusterSpec) -> Self {
        let nouns::ClusterSpec {
            annotations,
            acceptance_policy: _,
            task_history_retention_limit,
            raft,
            heartbeat_period,
            ca,
            default_log_driver: _,
            auto_lock_managers,
        } = spec;
        let period = |duration: Option<Duration>, default| nanos(duration.unwrap_or(default));
        let nouns::CaConfig {
            node_cert_expiry,
            external_cas,
            signing_ca_cert: _,
            signing_ca_key: _,
            force_rotate,
        } = ca;
        Self {
            name: annotations.name.clone(),
            labels: annotations.labels.clone(),
            orchestration: OrchestrationConfig {
                task_history_retention_limit: Some(*task_history_retention_limit),
            },
            raft: RaftConfig::from(*raft),
            dispatcher: DispatcherConfig {
                heartbeat_period: period(*heartbeat_period, limits::HEARTBEAT_PERIOD_DEFAULT),
            },
            ca_config: CaConfig {
                node_cert_expiry: period(*node_cert_expiry, limits::CERT_EXPIRY_DEFAULT),
                external_cas: external_cas.iter().map(ExternalCa::from).collect(),
                force_rotate: *force_rotate,
                ..CaConfig::default()
            },
            task_defaults: TaskDefaults::default(),
            encryption_config: EncryptionConfig { auto_lock_managers: *auto_lock_managers },
        }
    }
}

impl From<nouns::RaftConfig> for RaftConfig {
    fn from(raft: nouns::RaftConfig) -> Self {
        let nouns::RaftConfig {
            snapshot_interval,
            keep_old_snapshots,
            log_entries_for_slow_followers,
            heartbeat_tick,
            election_tick,
        } = raft;
        Self {
            snapshot_interval,
            keep_old_snapshots: Some(keep_old_snapshots),
            log_entries_for_slow_followers,
            election_tick: election_tick.into(),
            heartbeat_tick: heartbeat_tick.into(),
        }
    }
}

impl From<&nouns::ExternalCa> for ExternalCa {
    fn from(nouns::ExternalCa { url, options, ca_cert }: &nouns::ExternalCa) -> Self {
        Self {
            protocol: "cfssl".to_owned(),
            url: url.clone(),
            options: options.clone(),
            ca_cert: String::from_utf8_lossy(ca_cert).into_owned(),
        }
    }
}

/// How long the masks of overlay subnets are if nothing is said.
pub const SUBNET_SIZE_DEFAULT: u32 = 24;
/// The UDP port of the data plane if nothing is said.
pub const DATA_PATH_PORT_DEFAULT: u32 = 4789;
