//! What a node keeps of its membership, and how it was told to listen (`security.md` section 1).
//!
//! Certificates and key are the agent's business, the log is the manager's; only where they lie is known here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::files::{self, Access, Durability};
use serde::{Deserialize, Serialize};

/// The folder of a node's membership.
#[derive(Clone, Debug)]
pub(crate) struct SwarmFiles {
    root: PathBuf,
}

/// How this node was told to take part; its presence means that it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Participation {
    /// Where it listens.
    pub(crate) listen_addr: SocketAddr,
    /// What others are told.
    pub(crate) advertise_addr: SocketAddr,
    /// Its number in the Raft group.
    pub(crate) raft_id: u64,
}

impl SwarmFiles {
    /// The folder below a data root.
    pub(crate) fn below(data_root: &Path) -> Self {
        Self { root: data_root.join("swarm") }
    }

    /// Where certificates and key are.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// Where the manager keeps its log.
    pub(crate) fn raft(&self) -> PathBuf {
        self.root.join("raft")
    }

    /// Where the worker remembers its tasks.
    pub(crate) fn worker(&self) -> PathBuf {
        self.root.join("worker")
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
        files::remove_if_there(&self.root)
    }
}
