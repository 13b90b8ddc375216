//! The swarm itself: its settings, its authority and its keys.

use std::collections::BTreeMap;

use model::Timestamp;
use model::cluster::{
    CaConfig, Cluster, ClusterSpec, EncryptionKey, ExternalCa, JoinTokens, RaftConfig, RoleAdmissionPolicy,
    RootCa, RootRotation,
};

use super::{Malformed, OnWire, field, twins};
use crate::proto;
use crate::proto::acceptance_policy::RoleAdmissionPolicy as WirePolicy;
use crate::proto::acceptance_policy::role_admission_policy::Secret as WireSecret;

twins!(Cluster, proto::Cluster {
    id,
    meta!,
    spec!,
    root_ca!,
    network_bootstrap_keys,
    encryption_key_lamport_clock,
    blacklisted_certificates,
    unlock_keys,
    fips,
    default_address_pool,
    subnet_size,
    vxlan_port = vxlanudp_port,
});
twins!(
    RaftConfig,
    proto::RaftConfig {
        snapshot_interval,
        keep_old_snapshots,
        log_entries_for_slow_followers,
        heartbeat_tick,
        election_tick,
    }
);
twins!(
    CaConfig,
    proto::CaConfig { node_cert_expiry, external_cas, signing_ca_cert, signing_ca_key, force_rotate }
);
twins!(RootCa, proto::RootCa {
    ca_key, ca_cert, ca_cert_hash, join_tokens!, root_rotation, last_forced_rotation,
});
twins!(JoinTokens, proto::JoinTokens { worker, manager });
twins!(RootRotation, proto::RootRotation { ca_cert, ca_key, cross_signed_ca_cert });

impl OnWire<BTreeMap<String, proto::BlacklistedCertificate>> for BTreeMap<String, Option<Timestamp>> {
    fn to_wire(&self) -> BTreeMap<String, proto::BlacklistedCertificate> {
        let entry = |(name, expiry): (&String, &Option<Timestamp>)| {
            (name.clone(), proto::BlacklistedCertificate { expiry: expiry.to_wire() })
        };
        self.iter().map(entry).collect()
    }

    fn from_wire(wire: BTreeMap<String, proto::BlacklistedCertificate>) -> Result<Self, Malformed> {
        let entry = |(name, certificate)| {
            let proto::BlacklistedCertificate { expiry } = certificate;
            Ok((name, OnWire::from_wire(expiry)?))
        };
        wire.into_iter().map(entry).collect()
    }
}

/// Most settings are messages of one field on the wire, always written.
impl OnWire<proto::ClusterSpec> for ClusterSpec {
    fn to_wire(&self) -> proto::ClusterSpec {
        let Self {
            annotations,
            acceptance_policy,
            task_history_retention_limit,
            raft,
            heartbeat_period,
            ca,
            default_log_driver,
            auto_lock_managers,
        } = self;
        proto::ClusterSpec {
            annotations: Some(annotations.to_wire()),
            acceptance_policy: Some(proto::AcceptancePolicy { policies: acceptance_policy.to_wire() }),
            orchestration: Some(proto::OrchestrationConfig {
                task_history_retention_limit: *task_history_retention_limit,
            }),
            raft: Some(raft.to_wire()),
            dispatcher: Some(proto::DispatcherConfig { heartbeat_period: heartbeat_period.to_wire() }),
            ca_config: Some(ca.to_wire()),
            task_defaults: Some(proto::TaskDefaults { log_driver: default_log_driver.to_wire() }),
            encryption_config: Some(proto::EncryptionConfig { auto_lock_managers: *auto_lock_managers }),
        }
    }

    fn from_wire(wire: proto::ClusterSpec) -> Result<Self, Malformed> {
        let proto::ClusterSpec {
            annotations,
            acceptance_policy,
            orchestration,
            raft,
            dispatcher,
            ca_config,
            task_defaults,
            encryption_config,
        } = wire;
        let proto::AcceptancePolicy { policies } = acceptance_policy.unwrap_or_default();
        let proto::OrchestrationConfig { task_history_retention_limit } = orchestration.unwrap_or_default();
        let proto::DispatcherConfig { heartbeat_period } = dispatcher.unwrap_or_default();
        let proto::TaskDefaults { log_driver } = task_defaults.unwrap_or_default();
        let proto::EncryptionConfig { auto_lock_managers } = encryption_config.unwrap_or_default();

        Ok(Self {
            annotations: field("annotations", annotations.unwrap_or_default())?,
            acceptance_policy: field("acceptance_policy", policies)?,
            task_history_retention_limit,
            raft: field("raft", raft.unwrap_or_default())?,
            heartbeat_period: field("dispatcher.heartbeat_period", heartbeat_period)?,
            ca: field("ca_config", ca_config.unwrap_or_default())?,
            default_log_driver: field("task_defaults.log_driver", log_driver)?,
            auto_lock_managers,
        })
    }
}

impl OnWire<WirePolicy> for RoleAdmissionPolicy {
    fn to_wire(&self) -> WirePolicy {
        let Self { role, autoaccept, secret } = self;
        let secret = secret.clone().map(|(data, alg)| WireSecret { data, alg });
        WirePolicy { role: role.to_wire(), autoaccept: *autoaccept, secret }
    }

    fn from_wire(wire: WirePolicy) -> Result<Self, Malformed> {
        let WirePolicy { role, autoaccept, secret } = wire;
        let secret = secret.map(|WireSecret { data, alg }| (data, alg));
        Ok(Self { role: field("role", role)?, autoaccept, secret })
    }
}

/// The only protocol there is has the number 0.
impl OnWire<proto::ExternalCa> for ExternalCa {
    fn to_wire(&self) -> proto::ExternalCa {
        let Self { url, options, ca_cert } = self.clone();
        proto::ExternalCa { protocol: 0, url, options, ca_cert }
    }

    fn from_wire(wire: proto::ExternalCa) -> Result<Self, Malformed> {
        match wire {
            proto::ExternalCa { protocol: 0, url, options, ca_cert } => Ok(Self { url, options, ca_cert }),
            other => Err(Malformed::new("protocol", other.protocol)),
        }
    }
}

/// The only algorithm there is has the number 0.
impl OnWire<proto::EncryptionKey> for EncryptionKey {
    fn to_wire(&self) -> proto::EncryptionKey {
        let Self { subsystem, key, lamport_time } = self.clone();
        proto::EncryptionKey { subsystem, algorithm: 0, key, lamport_time }
    }

    fn from_wire(wire: proto::EncryptionKey) -> Result<Self, Malformed> {
        match wire {
            proto::EncryptionKey { algorithm: 0, subsystem, key, lamport_time } => {
                Ok(Self { subsystem, key, lamport_time })
            }
            other => Err(Malformed::new("algorithm", other.algorithm)),
        }
    }
}
