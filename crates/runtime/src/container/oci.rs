//! Finds the OCI runtime, and knows what it asks of this machine.
//!
//! crun if it is there, else runc. crun refuses a unified cgroup mount with controllers beside the old ones;
//! on such hosts every call gets mounts of its own, without it (the supervisor does that). Every runtime is called so,
//! for crun may be behind any name, and runc does not miss that mount.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::container::error::ContainerError;
use crate::container::spec::Cgroups;
use crate::container::state::StartFailure;

/// An OCI runtime on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Oci {
    /// The program.
    pub(crate) program: PathBuf,
    /// A mount to be hidden from it.
    pub(crate) hide: Option<&'static str>,
}

impl Oci {
    /// The runtime that is named, else crun, else runc.
    ///
    /// # Errors
    /// If it is not there.
    pub(crate) fn find(named: Option<&Path>, cgroups: Cgroups) -> Result<Self, ContainerError> {
        let missing = |program: String| ContainerError::Missing { what: program, package: "crun" };
        let program = match named {
            Some(path) if path.is_absolute() => Some(path.to_owned()).filter(|path| path.is_file()),
            Some(name) => program(&name.to_string_lossy()),
            None => program("crun").or_else(|| program("runc")),
        };
        let Some(program) = program else {
            let wished = named.map_or("an OCI runtime (crun or runc)".into(), |path| path.to_string_lossy());
            return Err(missing(wished.into_owned()));
        };
        let hide = (cgroups == Cgroups::Hybrid).then_some(UNIFIED);
        Ok(Self { program, hide })
    }
}

/// The small init that is named, else one that is found.
///
/// # Errors
/// If there is none.
pub(crate) fn find_init(named: Option<&Path>) -> Result<PathBuf, ContainerError> {
    let found = match named {
        Some(path) => Some(path.to_owned()).filter(|path| path.is_file()),
        None => ["docker-init", "tini-static", "tini"].into_iter().find_map(program),
    };
    found.ok_or_else(|| ContainerError::Missing { what: "docker-init".into(), package: "tini" })
}

/// A program in the usual places.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.into_iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

/// Which control groups this host has, by what is mounted.
pub(crate) fn cgroups() -> Cgroups {
    let has_controllers = |folder: &str| {
        let text = fs::read_to_string(Path::new(folder).join("cgroup.controllers"));
        text.map(|text| !text.trim().is_empty())
    };
    match (has_controllers("/sys/fs/cgroup"), has_controllers(UNIFIED)) {
        (Ok(_), _) => Cgroups::V2,
        (Err(_), Ok(_)) => Cgroups::Hybrid,
        (Err(_), Err(_)) => Cgroups::V1,
    }
}

/// Why a process could not be started, from what the supervisor and the runtime left in its folder.
pub(crate) fn failure(folder: &Path, program: &Path) -> StartFailure {
    let own = fs::read_to_string(folder.join("failure")).unwrap_or_default();
    let log = fs::read_to_string(folder.join("oci.log")).unwrap_or_default();
    let name = program.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    explain(&own, &log, &name)
}

fn explain(own: &str, log: &str, program: &str) -> StartFailure {
    let said = log.lines().filter_map(|line| serde_json::from_str::<LogLine>(line).ok());
    let mut errors = said.filter(|line| line.level == "error");
    let last = errors.next_back().map(|line| line.msg);
    let reason = match last {
        Some(reason) => reason,
        None if own.is_empty() => "the OCI runtime ended without a word".to_owned(),
        None => own.to_owned(),
    };
    let reason = as_clients_match(&reason);
    let has = |words: &str| reason.contains(words);
    let exit_code = if has("executable file") || has("no such file or directory") {
        127
    } else if has("permission denied") || has("is a directory") {
        126
    } else {
        128
    };
    let message = format!(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: \
         {program} create failed: unable to start container process: {reason}: unknown"
    );
    StartFailure { exit_code, message }
}

/// Clients match on the kernel's reasons as Go writes them, and on a program that is not found in one word order.
fn as_clients_match(reason: &str) -> String {
    let missing =
        reason.strip_prefix("executable file `").and_then(|rest| rest.split_once("` not found in $PATH"));
    let reason = match missing {
        Some((program, rest)) => format!("exec: \"{program}\": executable file not found in $PATH{rest}"),
        None => reason.to_owned(),
    };
    // What crun says of a folder that shall be run.
    let reason =
        reason.replace("open executable: Operation not permitted", "open executable: permission denied");
    ERRORS.iter().fold(reason, |reason, words| reason.replace(words, &words.to_lowercase()))
}

/// What the kernel says no with, as crun writes it.
const ERRORS: [&str; 5] = [
    "No such file or directory",
    "Permission denied",
    "Is a directory",
    "Not a directory",
    "Exec format error",
];

#[derive(Deserialize)]
struct LogLine {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

const UNIFIED: &str = "/sys/fs/cgroup/unified";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_words_decide_what_a_shell_would_say() {
        let code = |message: &str| {
            let log = format!(
                "{{\"level\":\"warning\",\"msg\":\"x\"}}\n{{\"level\":\"error\",\"msg\":\"{message}\"}}"
            );
            explain("", &log, "crun").exit_code
        };
        assert_eq!(code("executable file `nope` not found in $PATH: No such file or directory"), 127);
        assert_eq!(code("open executable: Permission denied"), 126);
        assert_eq!(code("cannot set memory"), 128);
    }

    #[test]
    fn reasons_are_told_in_the_words_that_clients_match_on() {
        for (said, told) in [
            (
                "executable file `x y` not found in $PATH: No such file or directory",
                "exec: \"x y\": executable file not found in $PATH: no such file or directory",
            ),
            ("open executable: Permission denied", "open executable: permission denied"),
            ("open executable: Operation not permitted", "open executable: permission denied"),
            ("exec: \"/x\": is a directory", "exec: \"/x\": is a directory"),
        ] {
            assert_eq!(as_clients_match(said), told);
        }
    }

    #[test]
    fn a_runtime_that_says_nothing_is_explained_too() {
        let text = explain("cannot run the OCI runtime /x: not found", "rubbish\n{}", "crun").message;
        assert!(text.contains("OCI runtime create failed: crun create failed"), "{text}");
        assert!(text.contains("cannot run the OCI runtime /x"), "{text}");
    }

    #[test]
    fn a_missing_runtime_names_its_package() {
        let error = Oci::find(Some(Path::new("/no/such/crun")), Cgroups::V2).unwrap_err();
        let text =
            "/no/such/crun is not installed on this node; install it, for example by: apt-get install crun";
        assert_eq!(error.to_string(), text);
    }
}
