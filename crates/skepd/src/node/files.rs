//! What a node keeps of its membership, and how it was told to listen (`security.md` section 1).
//!
//! Certificates and key are the agent's business, the log is the manager's; only where they lie is known here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api::swarm::Peer;
use host::files::{self, Access, Durability};
use serde::{Deserialize, Serialize};

/// The folders of a node's membership.
#[derive(Clone, Debug)]
pub(crate) struct SwarmFiles {
    /// What outlasts a start of the machine.
    root: PathBuf,
    /// What does not.
    worker: PathBuf,
}

/// How this node was told to take part; its presence means that it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Participation {
    /// Where it listens while it is a manager.
    pub(crate) listen_addr: SocketAddr,
    /// What others are told.
    pub(crate) advertise_addr: SocketAddr,
    /// Where containers of others reach this node; empty means where it advertises itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) data_path_addr: String,
    /// The manager that it was told to join; empty on the first manager.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) remote_addr: String,
    /// Its number in the Raft group; 0 while it has none.
    #[serde(default)]
    pub(crate) raft_id: u64,
    /// Whether it was taken into the group and may not have been told everything yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) joining: bool,
}

/// A known manager as it is kept.
#[derive(Serialize, Deserialize)]
struct Known {
    node_id: String,
    addr: String,
}

impl SwarmFiles {
    /// The folders below a data root and an exec root.
    pub(crate) fn below(data_root: &Path, exec_root: &Path) -> Self {
        Self { root: data_root.join("swarm"), worker: exec_root.join("worker") }
    }

    /// Where certificates and key are.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// Where the manager keeps its log.
    pub(crate) fn raft(&self) -> PathBuf {
        self.root.join("raft")
    }

    /// Where the worker remembers its tasks, whose containers do not outlast the machine either.
    pub(crate) fn worker(&self) -> PathBuf {
        self.worker.clone()
    }

    /// The managers that this node last knew.
    pub(crate) fn managers(&self) -> Result<Vec<Peer>> {
        let path = self.root.join("state.json");
        let bytes = files::read_if_there(&path).with_context(|| format!("reading {}", path.display()))?;
        let known: Vec<Known> = match bytes {
            Some(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?
            }
            None => Vec::new(),
        };
        Ok(known.into_iter().map(|Known { node_id, addr }| Peer { node_id, addr }).collect())
    }

    /// Notes which managers there are, for the next start.
    pub(crate) fn know(&self, managers: &[Peer]) -> Result<()> {
        let known = |Peer { node_id, addr }: &Peer| Known { node_id: node_id.clone(), addr: addr.clone() };
        let mut known: Vec<Known> = managers.iter().map(known).collect();
        known.sort_by(|one, other| one.node_id.cmp(&other.node_id));
        let bytes = serde_json::to_vec(&known).expect("a plain struct becomes JSON");
        let path = self.root.join("state.json");
        let written = files::replace(&path, &bytes, Access::Private, Durability::Cached);
        written.with_context(|| format!("writing {}", path.display()))
    }

    /// Forgets what only a manager keeps.
    pub(crate) fn forget_log(&self) -> io::Result<()> {
        files::remove_if_there(&self.raft())
    }

    /// How this node takes part; `None` if it does not.
    pub(crate) fn participation(&self) -> Result<Option<Participation>> {
        let path = self.root.join("docker-state.json");
        let bytes = files::read_if_there(&path).with_context(|| format!("reading {}", path.display()))?;
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))
        };
        bytes.map(read).transpose()
    }

    /// Notes that this node takes part. Written last: what comes before it does not count without it.
    pub(crate) fn take_part(&self, participation: &Participation) -> Result<()> {
        let bytes = serde_json::to_vec(participation).expect("a plain struct becomes JSON");
        let path = self.root.join("docker-state.json");
        let written = files::replace(&path, &bytes, Access::Private, Durability::Synced);
        written.with_context(|| format!("writing {}", path.display()))
    }

    /// Forgets the swarm, as if this node had never taken part. The note that it does goes first.
    pub(crate) fn forget(&self) -> io::Result<()> {
        files::remove_if_there(&self.root.join("docker-state.json"))?;
        files::remove_if_there(&self.worker)?;
        files::remove_if_there(&self.root)
    }
}
