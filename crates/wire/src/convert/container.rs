//! A container as a user wishes it.

use model::spec::container::{
    ConfigReference, ConfigTarget, ContainerSpec, DnsConfig, FileTarget, HealthConfig, Isolation,
    RegistryAuth, SecretReference, Ulimit,
};

use super::{Malformed, OnWire, field, twins, words};
use crate::proto;
use crate::proto::container_spec::PullOptions;
use crate::proto::{config_reference, secret_reference};

twins!(ContainerSpec, proto::ContainerSpec {
    image,
    labels,
    command,
    args,
    env,
    dir,
    user,
    groups,
    mounts,
    stop_grace_period,
    registry_auth = pull_options,
    secrets,
    configs,
    tty,
    open_stdin,
    hostname,
    dns = dns_config,
    healthcheck,
    hosts,
    read_only,
    stop_signal,
    privileges,
    init,
    isolation,
    pids_limit,
    sysctls,
    capability_add,
    capability_drop,
    ulimits,
    oom_score_adj,
});
words!(Isolation { Default = 0, Process = 1, HyperV = 2 });
twins!(DnsConfig, proto::container_spec::DnsConfig { nameservers, search, options });
twins!(Ulimit, proto::container_spec::Ulimit { name, soft, hard });
twins!(HealthConfig, proto::HealthConfig { test, interval, timeout, retries, start_period, start_interval });
twins!(FileTarget, proto::FileTarget { name, uid, gid, mode });

/// On the wire, credentials are the one field of a message that is absent without them.
impl OnWire<Option<PullOptions>> for RegistryAuth {
    fn to_wire(&self) -> Option<PullOptions> {
        let Self(registry_auth) = self;
        (!registry_auth.is_empty()).then(|| PullOptions { registry_auth: registry_auth.clone() })
    }

    fn from_wire(wire: Option<PullOptions>) -> Result<Self, Malformed> {
        let PullOptions { registry_auth } = wire.unwrap_or_default();
        Ok(Self(registry_auth))
    }
}

impl OnWire<proto::SecretReference> for SecretReference {
    fn to_wire(&self) -> proto::SecretReference {
        let Self { secret_id, secret_name, file } = self;
        let target = file.as_ref().map(|file| secret_reference::Target::File(file.to_wire()));
        proto::SecretReference { secret_id: secret_id.to_wire(), secret_name: secret_name.clone(), target }
    }

    fn from_wire(wire: proto::SecretReference) -> Result<Self, Malformed> {
        let proto::SecretReference { secret_id, secret_name, target } = wire;
        let file = target.map(|secret_reference::Target::File(file)| FileTarget::from_wire(file));
        Ok(Self { secret_id: field("secret_id", secret_id)?, secret_name, file: file.transpose()? })
    }
}

impl OnWire<proto::ConfigReference> for ConfigReference {
    fn to_wire(&self) -> proto::ConfigReference {
        let Self { config_id, config_name, target } = self;
        let target = target.as_ref().map(|target| match target {
            ConfigTarget::File(file) => config_reference::Target::File(file.to_wire()),
            ConfigTarget::Runtime => config_reference::Target::Runtime(proto::RuntimeTarget {}),
        });
        proto::ConfigReference { config_id: config_id.to_wire(), config_name: config_name.clone(), target }
    }

    fn from_wire(wire: proto::ConfigReference) -> Result<Self, Malformed> {
        let proto::ConfigReference { config_id, config_name, target } = wire;
        let target = match target {
            Some(config_reference::Target::File(file)) => {
                Some(ConfigTarget::File(FileTarget::from_wire(file)?))
            }
            Some(config_reference::Target::Runtime(proto::RuntimeTarget {})) => Some(ConfigTarget::Runtime),
            None => None,
        };
        Ok(Self { config_id: field("config_id", config_id)?, config_name, target })
    }
}
