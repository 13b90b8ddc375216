//! Deviations from the usual confinement.

/// Deviations from the usual confinement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// A word of Windows nodes.
    pub credential_spec: Option<CredentialSpec>,
    /// SELinux labels.
    pub selinux: Option<SelinuxContext>,
    /// Which system calls.
    pub seccomp: Option<Seccomp>,
    /// AppArmor's profile.
    pub apparmor: Option<AppArmor>,
    /// Whether no program may gain rights.
    pub no_new_privileges: bool,
}

/// Where a Windows credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSpec {
    /// In a file of the node.
    File(String),
    /// In the node's registry.
    Registry(String),
    /// In a config of the swarm, by its id.
    Config(String),
}

/// SELinux labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelinuxContext {
    /// Whether there are none.
    pub disable: bool,
    /// The user.
    pub user: String,
    /// The role.
    pub role: String,
    /// The type.
    pub kind: String,
    /// The level.
    pub level: String,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// The usual ones.
    Default,
    /// All.
    Unconfined,
    /// As this profile says, JSON.
    Custom(Vec<u8>),
}

/// AppArmor's profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppArmor {
    /// The usual one.
    #[default]
    Default,
    /// None.
    Disabled,
}
