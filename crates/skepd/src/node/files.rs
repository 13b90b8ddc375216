//! What a node keeps of its membership: certificates, key, and how it was told to listen.
//!
//! The layout and the order of writes are those of `security.md` section 1, so that a crash between two writes
//! leaves a node that can still speak.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use host::files::{self, Access, Durability};
use model::Timestamp;
use pki::{Identity, KeyFile, Roots};
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
        self.write("docker-state.json", &bytes, Access::Private)
    }

    /// Who this node is.
    pub(crate) fn identity(&self, now: Timestamp) -> Result<(Identity, KeyFile)> {
        let roots = Roots::from_pem(&self.read("swarm-root-ca.crt")?)?;
        let key = KeyFile::parse(&self.read("swarm-node.key")?)?;
        let load = |chain: &[u8]| Identity::load_expired(roots.clone(), chain, &key);
        let identity = match self.read("swarm-node.crt").and_then(|chain| Ok(load(&chain)?)) {
            Ok(identity) => identity,
            // A crash between the key and the certificate leaves the new certificate under its first name.
            Err(error) => match self.read(".swarm-node.crt") {
                Ok(chain) => {
                    let identity = load(&chain)?;
                    self.promote()?;
                    identity
                }
                Err(_) => return Err(error),
            },
        };
        if identity.validity.until < now {
            bail!("the certificate of this node has expired; to replace it, leave the swarm and join again");
        }
        Ok((identity, key))
    }

    /// Keeps a new certificate with its key: certificate aside, key, certificate in place.
    pub(crate) fn keep_identity(&self, roots: &[u8], chain: &[u8], key: &KeyFile) -> Result<()> {
        let folder = self.certificates();
        files::make_folder(&folder, Access::Private)
            .with_context(|| format!("making {}", folder.display()))?;
        self.write("certificates/swarm-root-ca.crt", roots, Access::Public)?;
        self.write("certificates/.swarm-node.crt", chain, Access::Public)?;
        self.write("certificates/swarm-node.key", &key.to_bytes(), Access::Private)?;
        self.promote()
    }

    /// Keeps a key file whose headers changed.
    pub(crate) fn keep_key(&self, key: &KeyFile) -> Result<()> {
        self.write("certificates/swarm-node.key", &key.to_bytes(), Access::Private)
    }

    /// Forgets the swarm, as if this node had never taken part. The note that it does goes first.
    pub(crate) fn forget(&self) -> io::Result<()> {
        files::remove_if_there(&self.root.join("docker-state.json"))?;
        files::remove_if_there(&self.root)
    }

    fn promote(&self) -> Result<()> {
        let (from, to) =
            (self.certificates().join(".swarm-node.crt"), self.certificates().join("swarm-node.crt"));
        std::fs::rename(&from, &to).with_context(|| format!("renaming {}", from.display()))?;
        files::sync_folder_of(&to).with_context(|| format!("syncing {}", to.display()))
    }

    fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.certificates().join(name);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    }

    fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<()> {
        let path = self.root.join(name);
        files::replace(&path, bytes, access, Durability::Synced)
            .with_context(|| format!("writing {}", path.display()))
    }
}
