//! Which system calls a container may make: Docker's form of profiles, made into the OCI runtime's.
//!
//! In: a profile's JSON and the capabilities of the container. Out: the rules that apply on this machine to a
//! container with those capabilities.

use std::path::Path;

use serde::Deserialize;

use crate::container::error::{ContainerError, Doing};
use crate::container::spec::document::{Seccomp, Syscall, SyscallArg};

/// The rules of a profile for a container with these capabilities.
///
/// # Errors
/// If the profile is no profile.
pub(crate) fn rules(profile: &str, capabilities: &[&str]) -> Result<Seccomp, ContainerError> {
    let bad = |error: serde_json::Error| {
        ContainerError::Invalid(format!("opening seccomp profile: decoding it: {error}"))
    };
    let profile: Profile = serde_json::from_str(profile).map_err(bad)?;
    Ok(profile.resolve(capabilities))
}

/// The profile that is named, or else the distribution's.
///
/// # Errors
/// If it cannot be read, or the machine has none: nothing then runs less confined than it seems.
pub(crate) fn usual_profile(named: Option<&Path>) -> Result<String, ContainerError> {
    let distributed = || USUAL_PLACES.iter().map(Path::new).find(|path| path.exists());
    let path = named.or_else(distributed).ok_or_else(|| ContainerError::Missing {
        what: "a seccomp profile to confine containers with".to_owned(),
        package: "golang-github-containers-common",
    })?;
    std::fs::read_to_string(path).doing(|| format!("reading the seccomp profile {}", path.display()))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<SyscallArg>>,
    #[serde(default)]
    includes: Option<Condition>,
    #[serde(default)]
    excludes: Option<Condition>,
}

/// When a rule applies.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    #[serde(default)]
    min_kernel: String,
}

impl Profile {
    fn resolve(self, capabilities: &[&str]) -> Seccomp {
        let native = self.arch_map.into_iter().find(|map| map.architecture == NATIVE.0);
        let architectures = match native {
            Some(ArchMap { architecture, sub_architectures }) => {
                [vec![architecture], sub_architectures.unwrap_or_default()].concat()
            }
            None => self.architectures,
        };
        let applies = |rule: &Rule| {
            let included = rule.includes.as_ref().is_none_or(|condition| condition.holds(capabilities));
            let excluded = rule.excludes.as_ref().is_some_and(|condition| condition.touches(capabilities));
            included && !excluded
        };
        let syscalls = self.syscalls.into_iter().filter(applies).map(Rule::into_syscall).collect();
        Seccomp {
            default_action: self.default_action,
            default_errno_ret: self.default_errno_ret,
            architectures,
            flags: self.flags,
            syscalls,
            compiled: None,
        }
    }
}

impl Condition {
    /// All parts hold. A kernel that runs this program is newer than any that profiles ask for.
    fn holds(&self, capabilities: &[&str]) -> bool {
        let Self { caps, arches, min_kernel: _ } = self;
        caps.iter().all(|cap| capabilities.contains(&cap.as_str()))
            && (arches.is_empty() || arches.iter().any(|arch| arch == NATIVE.1))
    }

    /// Some part holds.
    fn touches(&self, capabilities: &[&str]) -> bool {
        let Self { caps, arches, min_kernel } = self;
        caps.iter().any(|cap| capabilities.contains(&cap.as_str()))
            || arches.iter().any(|arch| arch == NATIVE.1)
            || !min_kernel.is_empty()
    }
}

impl Rule {
    fn into_syscall(self) -> Syscall {
        let Self { name, mut names, action, errno_ret, args, includes: _, excludes: _ } = self;
        if !name.is_empty() {
            names.push(name);
        }
        Syscall { names, action, errno_ret, args: args.unwrap_or_default() }
    }
}

/// The machine's architecture, in the words of seccomp and of profiles.
#[cfg(target_arch = "x86_64")]
const NATIVE: (&str, &str) = ("SCMP_ARCH_X86_64", "amd64");
/// The machine's architecture, in the words of seccomp and of profiles.
#[cfg(target_arch = "aarch64")]
const NATIVE: (&str, &str) = ("SCMP_ARCH_AARCH64", "arm64");
/// Any other: profiles that have no map still name their architectures.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NATIVE: (&str, &str) = ("", "");

/// Where distributions put the profile (package `golang-github-containers-common` or `containers-common`).
const USUAL_PLACES: [&str; 2] = ["/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json"];

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,
        "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
        "syscalls":[
          {"names":["read"],"action":"SCMP_ACT_ALLOW","args":null,"includes":{},"excludes":{}},
          {"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
          {"names":["mount"],"action":"SCMP_ACT_ERRNO","errnoRet":1,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
          {"name":"arm_only","action":"SCMP_ACT_ALLOW","includes":{"arches":["mips"]}}]}"#;

    #[test]
    fn rules_follow_capabilities_and_architecture() {
        let actions = |capabilities: &[&str]| {
            let seccomp = rules(SMALL, capabilities).unwrap();
            let list: Vec<_> =
                seccomp.syscalls.iter().map(|rule| format!("{} {}", rule.names[0], rule.action)).collect();
            list.join(", ")
        };
        assert_eq!(actions(&[]), "read SCMP_ACT_ALLOW, mount SCMP_ACT_ERRNO");
        assert_eq!(actions(&["CAP_SYS_ADMIN"]), "read SCMP_ACT_ALLOW, mount SCMP_ACT_ALLOW");
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_not_done_without() {
        let error = usual_profile(Some(Path::new("/nowhere/seccomp.json"))).unwrap_err();
        assert!(error.to_string().contains("reading the seccomp profile /nowhere/seccomp.json"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "[]", "{}", r#"{"defaultAction":1}"#] {
            assert!(rules(text, &[]).is_err(), "{text}");
        }
    }
}
