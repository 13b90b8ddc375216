//! What is to be said of this machine: its kernel, its memory, what its control groups can.

use std::path::Path;

use api::system::Info;

/// Facts about this machine, read when they are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The host's name.
    pub(crate) hostname: String,
    /// The kernel's version.
    pub(crate) kernel_version: String,
    /// The processor: `x86_64`.
    pub(crate) architecture: String,
    /// The system's name.
    pub(crate) operating_system: String,
    /// The system's version.
    pub(crate) os_version: String,
    /// Processors.
    pub(crate) processors: usize,
    /// Bytes of memory.
    pub(crate) memory: i64,
    /// Whether the kernel forwards packets.
    pub(crate) forwards: bool,
    /// Whether there is only the second kind of control groups.
    pub(crate) unified_cgroups: bool,
}

impl Machine {
    /// Looks at the machine. What cannot be seen stays empty.
    pub(crate) fn read() -> Self {
        let kernel = nix::sys::utsname::uname();
        let word = |text: Result<&std::ffi::OsStr, nix::Error>| {
            text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let forwards = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
        Self {
            hostname: word(kernel.as_ref().map(|kernel| kernel.nodename()).map_err(|error| *error)),
            kernel_version: word(kernel.as_ref().map(|kernel| kernel.release()).map_err(|error| *error)),
            architecture: word(kernel.as_ref().map(|kernel| kernel.machine()).map_err(|error| *error)),
            operating_system: setting(&release, "PRETTY_NAME").unwrap_or("Linux").to_owned(),
            os_version: setting(&release, "VERSION_ID").unwrap_or_default().to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: kibibytes(&memory, "MemTotal:").unwrap_or(0) * 1024,
            forwards: forwards.trim() == "1",
            unified_cgroups: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
        }
    }

    /// The kind of file system that holds a folder.
    pub(crate) fn filesystem(&self, folder: &Path) -> String {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let fields = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        });
        let holders = fields.filter(|(place, _)| folder.starts_with(place));
        let nearest = holders.max_by_key(|(place, _)| place.len());
        match nearest {
            Some((_, "ext2" | "ext3" | "ext4")) => "extfs".to_owned(),
            Some((_, kind)) => kind.to_owned(),
            None => String::new(),
        }
    }

    /// What `/info` says of the machine.
    pub(crate) fn info(self) -> Info {
        let Self {
            hostname,
            kernel_version,
            architecture,
            operating_system,
            os_version,
            processors,
            memory,
            forwards: _,
            unified_cgroups,
        } = self;
        Info {
            memory_limit: true,
            swap_limit: true,
            cpu_cfs_period: true,
            cpu_cfs_quota: true,
            cpu_shares: true,
            cpu_set: true,
            pids_limit: true,
            oom_kill_disable: !unified_cgroups,
            cgroup_version: if unified_cgroups { "2" } else { "1" }.to_owned(),
            kernel_version,
            operating_system,
            os_version,
            os_type: "linux".to_owned(),
            architecture,
            n_cpu: processors as u64,
            mem_total: memory,
            name: hostname,
            ..Info::default()
        }
    }
}

/// A value of a file of `KEY="value"` lines.
fn setting<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

/// A number of `/proc/meminfo`.
fn kibibytes(text: &str, key: &str) -> Option<i64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_and_memory() {
        let machine = Machine::read();
        assert!(machine.memory > 0 && !machine.kernel_version.is_empty() && machine.processors > 0);
        assert!(!machine.filesystem(Path::new("/")).is_empty());
    }

    #[test]
    fn settings_lose_their_quotes() {
        assert_eq!(setting("ID=x\nPRETTY_NAME=\"A B\"\n", "PRETTY_NAME"), Some("A B"));
        assert_eq!(kibibytes("MemTotal:       12 kB\n", "MemTotal:"), Some(12));
    }
}
