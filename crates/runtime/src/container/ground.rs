//! What all containers of a node have in common: where things are, who is there, who listens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host::shutdown::Shutdown;
use tokio::sync::{broadcast, mpsc, watch};

use crate::container::anticipation::Anticipation;
use crate::container::description::Confinement;
use crate::container::error::ContainerError;
use crate::container::event::{Action, ContainerEvent};
use crate::container::exec::Execs;
use crate::container::id::ContainerId;
use crate::container::keeper::Command;
use crate::container::oci::{self, Oci};
use crate::container::rehearsal::Rehearsal;
use crate::container::sealed::Sealed;
use crate::container::spec::document::Seccomp;
use crate::container::spec::{Cgroups, capabilities, filter, seccomp};
use crate::container::state::Record;
use crate::volume::Volumes;

/// Where things are on this machine.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// What outlasts a start of the machine.
    pub data_root: PathBuf,
    /// What does not; best in memory.
    pub exec_root: PathBuf,
    /// The program `skep-supervise`.
    pub supervise: PathBuf,
    /// The OCI runtime, by name or path; absent means crun, else runc.
    pub oci_runtime: Option<PathBuf>,
    /// The small init for containers that want one; absent means the one that is found.
    pub init: Option<PathBuf>,
    /// The usual seccomp profile; absent means the distribution's.
    pub seccomp_profile: Option<PathBuf>,
    /// The control group that all containers are in, as in `/skep`.
    pub cgroup_parent: String,
}

/// What all containers of a node have in common.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) config: RuntimeConfig,
    pub(crate) cgroups: Cgroups,
    pub(crate) anticipation: Anticipation,
    pub(crate) rehearsal: Rehearsal,
    pub(crate) volumes: Volumes,
    pub(crate) events: broadcast::Sender<Arc<ContainerEvent>>,
    pub(crate) shutdown: Shutdown,
    pub(crate) execs: Execs,
    index: Mutex<Index>,
    sealed: Mutex<Option<Arc<Sealed>>>,
    profile: OnceLock<String>,
    rules: Mutex<BTreeMap<Vec<&'static str>, Arc<Seccomp>>>,
}

/// Who is there.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) by_id: BTreeMap<ContainerId, Handle>,
    pub(crate) by_name: BTreeMap<String, ContainerId>,
}

/// How to reach the keeper of a container, and what it knows.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) record: watch::Receiver<Arc<Record>>,
    /// Held by whoever mounts its files while it does not run, and while it starts.
    pub(crate) files: Arc<tokio::sync::Mutex<()>>,
}

impl Ground {
    pub(crate) fn new(config: RuntimeConfig, volumes: Volumes) -> Self {
        let cgroups = oci::cgroups();
        Self {
            config,
            cgroups,
            anticipation: Anticipation::new(cgroups),
            rehearsal: Rehearsal::default(),
            volumes,
            events: broadcast::channel(EVENTS_MAX).0,
            shutdown: Shutdown::new(),
            execs: Execs::default(),
            index: Mutex::default(),
            sealed: Mutex::default(),
            profile: OnceLock::new(),
            rules: Mutex::default(),
        }
    }

    /// Who is there. Not to be held for long.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who listen.
    pub(crate) fn publish(&self, record: &Record, action: Action) {
        let event = ContainerEvent {
            at: host::clock::now(),
            id: record.id,
            name: record.name.clone(),
            image: record.description.image.reference.clone(),
            labels: record.labels(),
            action,
        };
        // An error means that nobody listens.
        let _ = self.events.send(Arc::new(event));
    }

    /// Makes what all starts need before somebody waits for one. What cannot be made now is told by each start.
    pub(crate) fn get_ready(&self) {
        let made = self.oci().and_then(|oci| {
            self.sealed(&oci);
            self.usual_rules(capabilities::granted(&Confinement::default())?)
        });
        if let Err(error) = made {
            tracing::warn!("no container can be started here: {error}");
        }
        give_memory_back();
    }

    /// The OCI runtime.
    pub(crate) fn oci(&self) -> Result<Oci, ContainerError> {
        Oci::find(self.config.oci_runtime.as_deref(), self.cgroups)
    }

    /// A copy of the OCI runtime in memory; `None` if this host lets no program be run from there.
    pub(crate) fn sealed(&self, oci: &Oci) -> Option<Arc<Sealed>> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if !sealed.as_ref().is_some_and(|copy| copy.is_copy_of(&oci.program)) {
            let made = Sealed::copy(&oci.program);
            *sealed = made
                .inspect_err(|error| tracing::debug!(%error, "copying the OCI runtime"))
                .ok()
                .map(Arc::new);
        }
        sealed.clone()
    }

    /// The usual rules for system calls, for a container with these capabilities.
    pub(crate) fn usual_rules(
        &self,
        capabilities: Vec<&'static str>,
    ) -> Result<Arc<Seccomp>, ContainerError> {
        let profile = match self.profile.get() {
            Some(profile) => profile,
            None => {
                let named = self.config.seccomp_profile.as_deref();
                let read = seccomp::usual_profile(named)?;
                self.profile.get_or_init(|| read)
            }
        };
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = rules.get(&capabilities) {
            return Ok(Arc::clone(found));
        }
        let mut made = seccomp::rules(profile, &capabilities)?;
        // What cannot be compiled here is the OCI runtime's to refuse.
        made.compiled = filter::compile(&made).ok().map(|program| STANDARD.encode(program));
        let made = Arc::new(made);
        if rules.len() < RULES_MAX {
            rules.insert(capabilities, Arc::clone(&made));
        }
        Ok(made)
    }

    /// Where a container's things are that outlast a start of the machine.
    pub(crate) fn folder(&self, id: ContainerId) -> PathBuf {
        self.containers().join(id.to_string())
    }

    /// Where all containers' things are.
    pub(crate) fn containers(&self) -> PathBuf {
        self.config.data_root.join("containers")
    }

    /// The lowest layer of every container.
    pub(crate) fn beneath(&self) -> PathBuf {
        self.config.data_root.join("beneath")
    }

    /// Where a container's supervisor works.
    pub(crate) fn run_folder(&self, id: ContainerId) -> PathBuf {
        self.config.exec_root.join("containers").join(id.to_string())
    }

    /// Where the OCI runtime keeps what it knows.
    pub(crate) fn oci_root(&self) -> PathBuf {
        self.config.exec_root.join("oci")
    }

    /// The control group of a container.
    pub(crate) fn cgroup(&self, id: ContainerId) -> String {
        format!("/{}/{id}", self.config.cgroup_parent.trim_matches('/'))
    }

    /// Its folder in a hierarchy of the old control groups, or in the unified one.
    pub(crate) fn cgroup_folder(&self, id: ContainerId, controller: &str) -> PathBuf {
        let root = Path::new("/sys/fs/cgroup");
        let own = self.cgroup(id);
        let own = own.trim_start_matches('/');
        match self.cgroups {
            Cgroups::V2 => root.join(own),
            Cgroups::V1 | Cgroups::Hybrid => root.join(controller).join(own),
        }
    }

    /// Where the kernel counts what it killed in a container for want of memory.
    pub(crate) fn oom_file(&self, id: ContainerId) -> PathBuf {
        let file = if self.cgroups == Cgroups::V2 { "memory.events" } else { "memory.oom_control" };
        self.cgroup_folder(id, "memory").join(file)
    }
}

/// Compiling takes a megabyte for a moment, which the allocator would keep for ever.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nix has no word for malloc_trim")]
fn give_memory_back() {
    // SAFETY: it takes no pointer, and touches only what nobody uses.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do so by themselves.
#[cfg(not(target_env = "gnu"))]
fn give_memory_back() {}

/// A listener who is so far behind loses events, and is told so.
const EVENTS_MAX: usize = 4096;
/// So many sets of capabilities have their rules kept.
const RULES_MAX: usize = 64;
