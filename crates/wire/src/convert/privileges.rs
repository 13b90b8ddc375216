//! Deviations from the usual confinement.

use model::spec::privileges::{AppArmor, CredentialSpec, Privileges, Seccomp, SelinuxContext};

use super::{Malformed, OnWire, field, twins, words};
use crate::proto;
use crate::proto::privileges::credential_spec::Source;
use crate::proto::privileges::seccomp_opts::SeccompMode;
use crate::proto::privileges::{AppArmorOpts, SeccompOpts};

twins!(Privileges, proto::Privileges {
    credential_spec,
    selinux = selinux_context,
    seccomp,
    apparmor,
    no_new_privileges,
});
twins!(SelinuxContext, proto::privileges::SeLinuxContext {
    disable, user, role, kind = r#type, level,
});
words!(AppArmor { Default = 0, Disabled = 1 });

impl OnWire<AppArmorOpts> for AppArmor {
    fn to_wire(&self) -> AppArmorOpts {
        AppArmorOpts { mode: self.to_wire() }
    }

    fn from_wire(wire: AppArmorOpts) -> Result<Self, Malformed> {
        let AppArmorOpts { mode } = wire;
        field("mode", mode)
    }
}

impl OnWire<SeccompOpts> for Seccomp {
    fn to_wire(&self) -> SeccompOpts {
        let (mode, profile) = match self {
            Self::Default => (SeccompMode::Default, Vec::new()),
            Self::Unconfined => (SeccompMode::Unconfined, Vec::new()),
            Self::Custom(profile) => (SeccompMode::Custom, profile.clone()),
        };
        SeccompOpts { mode: mode.into(), profile }
    }

    fn from_wire(wire: SeccompOpts) -> Result<Self, Malformed> {
        let SeccompOpts { mode, profile } = wire;
        match SeccompMode::try_from(mode) {
            Ok(SeccompMode::Default) => Ok(Self::Default),
            Ok(SeccompMode::Unconfined) => Ok(Self::Unconfined),
            Ok(SeccompMode::Custom) => Ok(Self::Custom(profile)),
            Err(_) => Err(Malformed::new("mode", mode)),
        }
    }
}

impl OnWire<proto::privileges::CredentialSpec> for CredentialSpec {
    fn to_wire(&self) -> proto::privileges::CredentialSpec {
        let source = match self.clone() {
            Self::File(file) => Source::File(file),
            Self::Registry(key) => Source::Registry(key),
            Self::Config(id) => Source::Config(id),
        };
        proto::privileges::CredentialSpec { source: Some(source) }
    }

    fn from_wire(wire: proto::privileges::CredentialSpec) -> Result<Self, Malformed> {
        let proto::privileges::CredentialSpec { source } = wire;
        match source {
            Some(Source::File(file)) => Ok(Self::File(file)),
            Some(Source::Registry(key)) => Ok(Self::Registry(key)),
            Some(Source::Config(id)) => Ok(Self::Config(id)),
            None => Err(Malformed::absent("source")),
        }
    }
}
