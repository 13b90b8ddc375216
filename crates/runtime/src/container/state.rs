//! What is known of a container, and how it outlasts the daemon.
//!
//! Each container has a folder under the data root, with `state.json` in it, written in one step whenever
//! something changes that must be known after a restart. The supervisor writes `exit.json` beside it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use host::files::{self, Access, Durability};
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::container::description::{Description, Surroundings};
use crate::container::health::Health;
use crate::container::id::ContainerId;
use crate::container::mounts::MountPoint;
use crate::container::restart::Restarts;

/// All that is known of a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without slash.
    pub name: String,
    /// When it was made.
    #[serde(with = "nanos")]
    pub created: Timestamp,
    /// As it was wished.
    pub description: Arc<Description>,
    /// As it was last started; absent before the first time.
    pub surroundings: Option<Surroundings>,
    /// What it sees of the host, with volumes named.
    pub mounts: Vec<MountPoint>,
    /// Where it is in its life.
    pub phase: Phase,
    /// How often it was started.
    pub starts: u64,
    /// How often it has ended.
    pub exits: u64,
    /// How it ended last, also when it runs again or is taken away: who waits for an end may look only then.
    #[serde(default)]
    pub last_exit: Option<Exit>,
    /// Whether it was stopped by a user since it was last started.
    #[serde(default)]
    pub stopped_by_user: bool,
    /// How often it was started again by itself.
    #[serde(default)]
    pub restarts: Restarts,
    /// Why it could not be started last time; absent if it could.
    #[serde(default)]
    pub failure: Option<StartFailure>,
    /// Whether it is well, if it has a test.
    #[serde(skip)]
    pub health: Option<Health>,
}

/// Why a container could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFailure {
    /// What a shell would say: 126 (cannot be run), 127 (not found), else 128.
    pub exit_code: u8,
    /// In the runtime's words.
    pub message: String,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Made, and never started.
    Created,
    /// Its process runs.
    Running(Running),
    /// Its process stands still.
    Paused(Running),
    /// Its process has ended.
    Exited(Exit),
    /// Nothing will be left of it soon.
    Removing,
}

/// A process that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its number on the host.
    pub pid: u32,
    /// Since when.
    #[serde(with = "nanos")]
    pub started: Timestamp,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its code, or 128 and the signal that ended it.
    pub code: i32,
    /// Whether the kernel killed a process because the memory was full.
    pub oom: bool,
    /// When it was started; the epoch if it could not be.
    #[serde(with = "nanos")]
    pub started: Timestamp,
    /// When it ended.
    #[serde(with = "nanos")]
    pub finished: Timestamp,
}

impl Record {
    /// A container that was just made.
    pub(crate) fn new(
        id: ContainerId,
        description: Description,
        mounts: Vec<MountPoint>,
        created: Timestamp,
    ) -> Self {
        Self {
            id,
            name: description.name.clone(),
            created,
            description: Arc::new(description),
            surroundings: None,
            mounts,
            phase: Phase::Created,
            starts: 0,
            exits: 0,
            last_exit: None,
            stopped_by_user: false,
            restarts: Restarts::default(),
            failure: None,
            health: None,
        }
    }

    /// Its labels: the image's, and its own over them.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.description.image.defaults.labels.clone();
        labels.extend(self.description.labels.clone());
        labels
    }

    /// The word that people know its state by.
    pub fn word(&self) -> &'static str {
        match self.phase {
            Phase::Created => "created",
            Phase::Running(_) => "running",
            Phase::Paused(_) => "paused",
            Phase::Exited(_) if self.restarts.due.is_some() => "restarting",
            Phase::Exited(_) => "exited",
            Phase::Removing => "removing",
        }
    }

    /// The process, if there is one.
    pub fn running(&self) -> Option<Running> {
        match self.phase {
            Phase::Running(running) | Phase::Paused(running) => Some(running),
            Phase::Created | Phase::Exited(_) | Phase::Removing => None,
        }
    }

    /// How the last process ended, if none runs.
    pub fn exit(&self) -> Option<Exit> {
        match self.phase {
            Phase::Exited(exit) => Some(exit),
            Phase::Removing => self.last_exit,
            Phase::Created | Phase::Running(_) | Phase::Paused(_) => None,
        }
    }

    /// Its process has ended.
    pub(crate) fn end(&mut self, exit: Exit) {
        self.phase = Phase::Exited(exit);
        self.exits += 1;
        self.last_exit = Some(exit);
    }

    /// Writes it into the folder of its container.
    ///
    /// # Errors
    /// What the file system says; what was written before is then still there.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        files::replace(&folder.join(STATE_FILE), &text, Access::Private, Durability::Cached)
    }

    /// Reads it from the folder of its container; `None` if there is no whole one.
    ///
    /// # Errors
    /// What the file system says, or that the file is not a state.
    pub fn load(folder: &Path) -> io::Result<Option<Self>> {
        match files::read_if_there(&folder.join(STATE_FILE))? {
            Some(text) => Ok(Some(serde_json::from_slice(&text)?)),
            None => Ok(None),
        }
    }
}

/// Times in files: nanoseconds since the epoch.
mod nanos {
    use model::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.nanos())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }
}

const STATE_FILE: &str = "state.json";
