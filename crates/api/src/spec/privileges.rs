//! Deviations from the usual confinement.

use model::spec::privileges as spec;
use serde::{Deserialize, Serialize};

use crate::base64::Base64;
use crate::error::ApiError;
use crate::json::is_zero;

/// Deviations from the usual confinement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Privileges {
    /// A word of Windows nodes.
    pub credential_spec: Option<CredentialSpec>,
    /// SELinux labels.
    #[serde(rename = "SELinuxContext")]
    pub selinux_context: Option<SelinuxContext>,
    /// Which system calls.
    #[serde(skip_serializing_if = "is_zero")]
    pub seccomp: Option<SeccompOpts>,
    /// AppArmor's profile.
    #[serde(skip_serializing_if = "is_zero")]
    pub app_armor: Option<AppArmorOpts>,
    /// Whether no program may gain rights.
    #[serde(skip_serializing_if = "is_zero")]
    pub no_new_privileges: bool,
}

/// Where a Windows credential is: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CredentialSpec {
    /// In a config of the swarm.
    pub config: String,
    /// In a file of the node.
    pub file: String,
    /// In the node's registry.
    pub registry: String,
}

/// SELinux labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SelinuxContext {
    /// Whether there are none.
    pub disable: bool,
    /// The user.
    pub user: String,
    /// The role.
    pub role: String,
    /// The type.
    pub r#type: String,
    /// The level.
    pub level: String,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SeccompOpts {
    /// `default`, `unconfined` or `custom`.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: String,
    /// For `custom`: the profile's JSON.
    #[serde(skip_serializing_if = "is_zero")]
    pub profile: Base64,
}

/// AppArmor's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AppArmorOpts {
    /// `default` or `disabled`.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: String,
}

impl Privileges {
    /// The model's privileges.
    pub fn into_model(self) -> Result<spec::Privileges, ApiError> {
        let Self { credential_spec, selinux_context, seccomp, app_armor, no_new_privileges } = self;
        Ok(spec::Privileges {
            credential_spec: credential_spec.map(CredentialSpec::into_model).transpose()?,
            selinux: selinux_context.map(SelinuxContext::into_model),
            seccomp: seccomp.map(SeccompOpts::into_model).transpose()?,
            apparmor: app_armor.map(AppArmorOpts::into_model).transpose()?,
            no_new_privileges,
        })
    }
}

impl From<&spec::Privileges> for Privileges {
    fn from(privileges: &spec::Privileges) -> Self {
        let spec::Privileges { credential_spec, selinux, seccomp, apparmor, no_new_privileges } = privileges;
        Self {
            credential_spec: credential_spec.as_ref().map(CredentialSpec::from),
            selinux_context: selinux.as_ref().map(SelinuxContext::from),
            seccomp: seccomp.as_ref().map(SeccompOpts::from),
            app_armor: apparmor.map(AppArmorOpts::from),
            no_new_privileges: *no_new_privileges,
        }
    }
}

impl CredentialSpec {
    fn into_model(self) -> Result<spec::CredentialSpec, ApiError> {
        match self {
            Self { config, file, registry }
                if file.is_empty() && registry.is_empty() && !config.is_empty() =>
            {
                Ok(spec::CredentialSpec::Config(config))
            }
            Self { config, file, registry }
                if config.is_empty() && registry.is_empty() && !file.is_empty() =>
            {
                Ok(spec::CredentialSpec::File(file))
            }
            Self { config, file, registry }
                if config.is_empty() && file.is_empty() && !registry.is_empty() =>
            {
                Ok(spec::CredentialSpec::Registry(registry))
            }
            Self { config, file, registry }
                if config.is_empty() && file.is_empty() && registry.is_empty() =>
            {
                let message = "must either provide \"file\", \"registry\", or \"config\" for credential spec";
                Err(ApiError::invalid(message))
            }
            _ => {
                let message = "cannot specify more than one of \"file\", \"registry\", and \"config\" \
                               for credential spec";
                Err(ApiError::invalid(message))
            }
        }
    }
}

impl From<&spec::CredentialSpec> for CredentialSpec {
    fn from(credential: &spec::CredentialSpec) -> Self {
        match credential.clone() {
            spec::CredentialSpec::File(file) => Self { file, ..Self::default() },
            spec::CredentialSpec::Registry(registry) => Self { registry, ..Self::default() },
            spec::CredentialSpec::Config(config) => Self { config, ..Self::default() },
        }
    }
}

impl SelinuxContext {
    fn into_model(self) -> spec::SelinuxContext {
        let Self { disable, user, role, r#type, level } = self;
        spec::SelinuxContext { disable, user, role, kind: r#type, level }
    }
}

impl From<&spec::SelinuxContext> for SelinuxContext {
    fn from(context: &spec::SelinuxContext) -> Self {
        let spec::SelinuxContext { disable, user, role, kind, level } = context.clone();
        Self { disable, user, role, r#type: kind, level }
    }
}

impl SeccompOpts {
    fn into_model(self) -> Result<spec::Seccomp, ApiError> {
        let Self { mode, profile: Base64(profile) } = self;
        match mode.as_str() {
            "" | "default" => Ok(spec::Seccomp::Default),
            "unconfined" => Ok(spec::Seccomp::Unconfined),
            "custom" => Ok(spec::Seccomp::Custom(profile)),
            _ => Err(ApiError::invalid(format!("invalid Privileges.Seccomp.Mode: \"{mode}\""))),
        }
    }
}

impl From<&spec::Seccomp> for SeccompOpts {
    fn from(seccomp: &spec::Seccomp) -> Self {
        let (mode, profile) = match seccomp {
            spec::Seccomp::Default => ("default", Vec::new()),
            spec::Seccomp::Unconfined => ("unconfined", Vec::new()),
            spec::Seccomp::Custom(profile) => ("custom", profile.clone()),
        };
        Self { mode: mode.to_owned(), profile: Base64(profile) }
    }
}

impl AppArmorOpts {
    fn into_model(self) -> Result<spec::AppArmor, ApiError> {
        let Self { mode } = self;
        match mode.as_str() {
            "" | "default" => Ok(spec::AppArmor::Default),
            "disabled" => Ok(spec::AppArmor::Disabled),
            _ => Err(ApiError::invalid(format!("invalid Privileges.AppArmor.Mode: \"{mode}\""))),
        }
    }
}

impl From<spec::AppArmor> for AppArmorOpts {
    fn from(apparmor: spec::AppArmor) -> Self {
        let mode = match apparmor {
            spec::AppArmor::Default => "default",
            spec::AppArmor::Disabled => "disabled",
        };
        Self { mode: mode.to_owned() }
    }
}
