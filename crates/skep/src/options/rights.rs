//! `--cap-add`, `--security-opt`, `--pid` and the like: what a container may do, and what it shares with its host.

use anyhow::{Context, Result, bail};
use api::host_config::HostConfig;
use api::spec::container::Ulimit;
use clap::Args;

use super::ulimit::ulimit;
use super::values::{bytes, pairs};

/// What a container may do, and what it shares with its host.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Rights {
    /// A word for whoever looks, KEY=VALUE
    #[arg(long, value_name = "PAIR")]
    annotation: Vec<String>,
    /// A capability beyond the usual
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// A capability less than the usual
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// The cgroup above its own
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    cgroup_parent: String,
    /// Whose cgroups it sees: host, private
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    cgroupns: String,
    /// One more group of its user
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Whose shared memory it sees: none, private, shareable, host, container:NAME
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    ipc: String,
    /// How it is kept apart (Windows only)
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    isolation: String,
    /// How readily its memory is swapped, 0 to 100; -1 leaves it to the host
    #[arg(long, value_name = "NUMBER", default_value_t = -1, hide_default_value = true, allow_negative_numbers = true)]
    memory_swappiness: i64,
    /// Never kill it when memory is short
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily it is killed when memory is short, -1000 to 1000
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    oom_score_adj: i64,
    /// Whose processes it sees: host, container:NAME
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    pid: String,
    /// With all rights
    #[arg(long)]
    privileged: bool,
    /// Its root file system cannot be written
    #[arg(long)]
    read_only: bool,
    /// Which runtime runs it
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    runtime: String,
    /// How it is confined, such as no-new-privileges, seccomp=FILE, apparmor=PROFILE
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// How large its shared memory is
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "0", hide_default_value = true)]
    shm_size: i64,
    /// An option of the storage driver, KEY=VALUE
    #[arg(long, value_name = "PAIR")]
    storage_opt: Vec<String>,
    /// A kernel parameter, NAME=VALUE
    #[arg(long, value_name = "PARAMETER")]
    sysctl: Vec<String>,
    /// A bound of processes, NAME=SOFT or NAME=SOFT:HARD
    #[arg(long, value_name = "BOUND", value_parser = ulimit)]
    ulimit: Vec<Ulimit>,
    /// Whose users it has: host
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    userns: String,
    /// Whose host name it has: host
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    uts: String,
}

impl Rights {
    /// Writes what is given into the config.
    pub(crate) fn apply(self, host: &mut HostConfig) -> Result<()> {
        let Confinement { options, shows_all_paths } = confinement(self.security_opt)?;
        host.security_opt = options;
        if shows_all_paths {
            (host.masked_paths, host.readonly_paths) = (Some(Vec::new()), Some(Vec::new()));
        }
        host.annotations = pairs(&self.annotation);
        host.cap_add = self.cap_add;
        host.cap_drop = self.cap_drop;
        host.cgroup_parent = self.cgroup_parent;
        host.cgroupns_mode = self.cgroupns;
        host.group_add = self.group_add;
        host.ipc_mode = self.ipc;
        host.isolation = self.isolation;
        host.memory_swappiness = Some(self.memory_swappiness).filter(|number| *number != -1);
        host.oom_kill_disable = self.oom_kill_disable.then_some(true);
        host.oom_score_adj = self.oom_score_adj;
        host.pid_mode = self.pid;
        host.privileged = self.privileged;
        host.readonly_rootfs = self.read_only;
        host.runtime = self.runtime;
        host.shm_size = self.shm_size;
        host.storage_opt = pairs(&self.storage_opt);
        host.sysctls = pairs(&self.sysctl);
        host.ulimits = self.ulimit;
        host.userns_mode = self.userns;
        host.uts_mode = self.uts;
        Ok(())
    }
}

/// `--security-opt` as the daemon takes it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Confinement {
    options: Vec<String>,
    shows_all_paths: bool,
}

/// A seccomp profile is a file of the person's own, so that it is sent whole; `systempaths=unconfined` is told by
/// empty lists of paths.
fn confinement(words: Vec<String>) -> Result<Confinement> {
    let mut all = Confinement::default();
    for word in words {
        let (key, value) = match word.split_once('=').or_else(|| word.split_once(':')) {
            Some(pair) => pair,
            None if word == "no-new-privileges" => (word.as_str(), "true"),
            None => bail!("Invalid --security-opt: \"{word}\""),
        };
        match (key, value) {
            ("systempaths", "unconfined") => all.shows_all_paths = true,
            ("seccomp", "unconfined" | "builtin") => all.options.push(format!("{key}={value}")),
            ("seccomp", path) => {
                let text = std::fs::read(path)
                    .with_context(|| format!("opening seccomp profile ({path}) failed"))?;
                let profile: serde_json::Value = serde_json::from_slice(&text)
                    .with_context(|| format!("compacting json for seccomp profile ({path}) failed"))?;
                all.options.push(format!("seccomp={profile}"));
            }
            ("no-new-privileges", "true") => all.options.push(key.to_owned()),
            _ => all.options.push(format!("{key}={value}")),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seccomp_profile_is_sent_whole() {
        let file = std::env::temp_dir().join(format!("skep-profile-{}", std::process::id()));
        std::fs::write(&file, "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }").unwrap();
        let words = [&format!("seccomp={}", file.display()), "no-new-privileges", "systempaths=unconfined"];
        let read = confinement(words.map(str::to_owned).to_vec());
        std::fs::remove_file(&file).unwrap();
        let Confinement { options, shows_all_paths } = read.unwrap();
        assert_eq!(options, [r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#, "no-new-privileges"]);
        assert!(shows_all_paths);
    }

    #[test]
    fn bad_words_name_the_rule() {
        for (word, rule) in [
            ("foo", "Invalid --security-opt: \"foo\""),
            ("seccomp=/nonexistent", "opening seccomp profile (/nonexistent) failed"),
        ] {
            assert_eq!(confinement(vec![word.to_owned()]).unwrap_err().to_string(), rule);
        }
        let old = confinement(vec!["apparmor:unconfined".to_owned()]).unwrap();
        assert_eq!(old.options, ["apparmor=unconfined"]);
    }
}
