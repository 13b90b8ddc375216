//! Which rights of root a container's root has.

use crate::container::description::Confinement;
use crate::container::error::ContainerError;

/// The capabilities of a container, in the kernel's order.
///
/// # Errors
/// If a word names no capability.
pub(crate) fn granted(confinement: &Confinement) -> Result<Vec<&'static str>, ContainerError> {
    let add = Words::parse(&confinement.capabilities_add)?;
    let drop = Words::parse(&confinement.capabilities_drop)?;
    if confinement.privileged {
        return Ok(ALL.to_vec());
    }
    let usual: &[&str] = if add.all {
        &ALL
    } else if drop.all {
        &[]
    } else {
        &USUAL
    };
    let keeps = |name: &&&str| {
        let dropped = drop.named.contains(name);
        (usual.contains(name) && !dropped) || add.named.contains(name)
    };
    Ok(ALL.iter().filter(keeps).copied().collect())
}

struct Words {
    all: bool,
    named: Vec<&'static str>,
}

impl Words {
    fn parse(words: &[String]) -> Result<Self, ContainerError> {
        let mut parsed = Self { all: false, named: Vec::new() };
        for word in words {
            let upper = word.to_ascii_uppercase();
            if upper == "ALL" {
                parsed.all = true;
                continue;
            }
            let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
            let known = ALL.iter().find(|name| **name == full);
            let unknown = || ContainerError::Invalid(format!("invalid capability: \"{word}\""));
            parsed.named.push(known.ok_or_else(unknown)?);
        }
        Ok(parsed)
    }
}

/// All that there are, in the kernel's order.
pub(crate) const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Those that containers usually have: Docker's.
const USUAL: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn confinement(add: &[&str], drop: &[&str]) -> Confinement {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Confinement { capabilities_add: owned(add), capabilities_drop: owned(drop), ..Confinement::default() }
    }

    fn check(add: &[&str], drop: &[&str]) -> Vec<&'static str> {
        granted(&confinement(add, drop)).unwrap()
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_docker_does() {
        assert_eq!(check(&[], &[]), USUAL);
        assert_eq!(check(&["ALL"], &[]), ALL);
        assert_eq!(check(&["net_admin"], &["all"]), ["CAP_NET_ADMIN"]);
        assert_eq!(check(&["ALL"], &["CAP_SYS_ADMIN"]).len(), ALL.len() - 1);
        assert!(!check(&[], &["NET_RAW"]).contains(&"CAP_NET_RAW"));
        assert!(check(&["SYS_TIME"], &[]).contains(&"CAP_SYS_TIME"));
    }

    #[test]
    fn an_unknown_capability_is_refused_by_name() {
        let error = granted(&confinement(&["FLY"], &[])).unwrap_err();
        assert_eq!(error.to_string(), "invalid capability: \"FLY\"");
    }
}
