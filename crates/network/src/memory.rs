//! What must be known of the sandboxes after the daemon has come back: one small file for each.
//!
//! In: sandboxes. Out: the same, read again. The files lie beside the pinned namespaces and are gone after a reboot, as they
//! are. A file that cannot be read counts as a sandbox that is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use host::files::{self, Access, Durability};

use crate::sandbox::Sandbox;

/// The folders under the exec root.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    namespaces: PathBuf,
    notes: PathBuf,
}

impl Memory {
    /// Makes the folders, if they are not there.
    pub(crate) fn open(exec_root: &Path) -> io::Result<Self> {
        let memory = Self { namespaces: exec_root.join("netns"), notes: exec_root.join("sandboxes") };
        files::make_folder(&memory.namespaces, Access::Private)?;
        files::make_folder(&memory.notes, Access::Private)?;
        Ok(memory)
    }

    /// Where a container's namespace is pinned.
    pub(crate) fn namespace(&self, container: &str) -> PathBuf {
        self.namespaces.join(short(container))
    }

    /// Remembers a sandbox.
    pub(crate) fn keep(&self, sandbox: &Sandbox) -> io::Result<()> {
        let text = serde_json::to_vec(sandbox).expect("a sandbox has only texts as keys");
        files::replace(&self.note(&sandbox.container), &text, Access::Private, Durability::Cached)
    }

    /// Forgets a sandbox.
    pub(crate) fn forget(&self, container: &str) -> io::Result<()> {
        files::remove_if_there(&self.note(container))
    }

    /// All sandboxes that are remembered. A note that cannot be read is removed.
    pub(crate) fn all(&self) -> io::Result<Vec<Sandbox>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.notes)? {
            let path = entry?.path();
            match serde_json::from_slice::<Sandbox>(&fs::read(&path)?) {
                Ok(sandbox) if self.note(&sandbox.container) == path => found.push(sandbox),
                _ => files::remove_if_there(&path)?,
            }
        }
        found.sort_by(|one, other| one.container.cmp(&other.container));
        Ok(found)
    }

    /// The pinned namespaces, whosever they are.
    pub(crate) fn namespaces(&self) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(&self.namespaces)?.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    /// Removes the folders. All namespaces must be unpinned.
    pub(crate) fn wipe(&self) -> io::Result<()> {
        files::remove_if_there(&self.notes)?;
        files::remove_if_there(&self.namespaces)
    }

    fn note(&self, container: &str) -> PathBuf {
        self.notes.join(short(container))
    }
}

/// Enough of an id to tell containers apart, as users do.
fn short(container: &str) -> &str {
    container.get(..12).unwrap_or(container)
}
