//! What the network of this host needs to be told once.
//!
//! In: values that the daemon has read and checked. Out: names of everything it makes in the kernel. It reads nothing.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::subnet::Subnet;

/// What the network of this host needs to be told once.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Whose network it is. Two daemons on one host need two names.
    pub instance: Instance,
    /// Where namespaces are pinned; it must be gone after a reboot, as they are.
    pub exec_root: PathBuf,
    /// The addresses of local containers. None: the first range of 172.17.0.0/16 to 172.31.0.0/16 that is free here.
    pub subnet: Option<Subnet>,
    /// Any text that stays the same on this machine; the ids of the local networks are drawn from it.
    pub machine: String,
    /// Where the host's own name servers are written, mostly `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
}

/// The name of everything one daemon makes in the kernel: the nftables table, the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance(String);

/// Why a text is no name of an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance is named by a letter and up to 11 more letters and digits, in lower case, not \"{0}\"")]
pub struct NotAnInstance(pub String);

impl Instance {
    /// The name of its bridge.
    pub fn bridge(&self) -> String {
        format!("{}0", self.0)
    }

    /// The name of its nftables table.
    pub fn table(&self) -> &str {
        &self.0
    }
}

impl Default for Instance {
    /// The one daemon of a normal host.
    fn default() -> Self {
        Self("skep".to_owned())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Instance {
    type Err = NotAnInstance;

    fn from_str(text: &str) -> Result<Self, NotAnInstance> {
        // The kernel takes 15 characters for an interface; one of them is the number of the bridge.
        let letters = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        if letters && begins && text.len() <= 12 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnInstance(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_names_its_bridge_and_table() {
        let instance: Instance = "demo".parse().unwrap();
        assert_eq!((instance.bridge().as_str(), instance.table()), ("demo0", "demo"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "Skep", "0skep", "a-b", "a/b", "thirteenchars"] {
            assert!(text.parse::<Instance>().is_err(), "{text}");
        }
    }
}
