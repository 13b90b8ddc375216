//! What a worker remembers over a restart of its daemon: its tasks, with the status they have.
//!
//! One small file for each task, replaced in one step. Nothing is synced: these files need to outlast the daemon,
//! not the machine, since no container outlasts the machine. Credentials for registries are left out; the
//! managers send them again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use host::files::{self, Access, Durability};
use model::spec::container::RegistryAuth;
use model::{Runtime, Task, TaskId};
use prost::Message;
use wire::{OnWire, proto};

/// Why memory fails.
#[derive(Debug, thiserror::Error)]
#[error("remembering tasks in {folder}")]
pub struct MemoryError {
    folder: PathBuf,
    #[source]
    cause: io::Error,
}

/// The tasks that are remembered.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// Opens the memory in this folder, which only its owner may read.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, MemoryError> {
        let made = files::make_folder(&folder, Access::Private);
        made.map_err(|cause| MemoryError { folder: folder.clone(), cause })?;
        Ok(Self { folder })
    }

    /// All remembered tasks. A file that cannot be read is left out and removed: the managers know the task.
    pub(crate) fn recall(&self) -> Result<Vec<Arc<Task>>, MemoryError> {
        let mut tasks = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|cause| self.failed(cause))? {
            let path = entry.map_err(|cause| self.failed(cause))?.path();
            let bytes = std::fs::read(&path).map_err(|cause| self.failed(cause))?;
            match decode(&bytes) {
                Some(task) => tasks.push(Arc::new(task)),
                None => files::remove_if_there(&path).map_err(|cause| self.failed(cause))?,
            }
        }
        Ok(tasks)
    }

    /// Remembers a task as it is now.
    pub(crate) fn remember(&self, task: &Task) -> Result<(), MemoryError> {
        let bytes = without_credentials(task).to_wire().encode_to_vec();
        let path = self.folder.join(task.id.as_str());
        files::replace(&path, &bytes, Access::Private, Durability::Cached).map_err(|cause| self.failed(cause))
    }

    /// Forgets a task.
    pub(crate) fn forget(&self, task: TaskId) -> Result<(), MemoryError> {
        files::remove_if_there(&self.folder.join(task.as_str())).map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> MemoryError {
        MemoryError { folder: self.folder.clone(), cause }
    }
}

fn decode(bytes: &[u8]) -> Option<Task> {
    Task::from_wire(proto::Task::decode(bytes).ok()?).ok()
}

fn without_credentials(task: &Task) -> Task {
    let mut task = task.clone();
    if let Runtime::Container(container) = &mut task.spec.runtime {
        container.registry_auth = RegistryAuth::default();
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Chance, ContainerSpec, Meta, TaskSpec, TaskState, TaskStatus};

    fn task(chance: &mut Chance) -> Task {
        let container =
            ContainerSpec { registry_auth: RegistryAuth("word".to_owned()), ..ContainerSpec::default() };
        Task {
            id: TaskId::random(chance),
            meta: Meta::default(),
            spec: TaskSpec { runtime: Runtime::Container(Box::new(container)), ..TaskSpec::default() },
            service_id: None,
            slot: 1,
            node_id: None,
            annotations: model::Annotations::default(),
            service_annotations: model::Annotations::default(),
            status: TaskStatus { state: TaskState::Running, ..TaskStatus::default() },
            desired_state: TaskState::Running,
            networks: Vec::new(),
            endpoint: None,
            log_driver: None,
            spec_version: None,
            assigned_generic_resources: Vec::new(),
            job_iteration: None,
            volumes: Vec::new(),
        }
    }

    #[test]
    fn remembered_tasks_come_back_without_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let chance = &mut Chance::from_number(3);
        let (kept, forgotten) = (task(chance), task(chance));
        let memory = Memory::open(folder.path().join("tasks")).unwrap();
        memory.remember(&kept).unwrap();
        memory.remember(&forgotten).unwrap();
        memory.forget(forgotten.id).unwrap();
        std::fs::write(folder.path().join("tasks/torn"), b"\xff\xff").unwrap();

        let recalled = Memory::open(folder.path().join("tasks")).unwrap().recall().unwrap();
        assert_eq!(recalled, [Arc::new(without_credentials(&kept))]);
        let bytes = std::fs::read(folder.path().join("tasks").join(kept.id.as_str())).unwrap();
        assert!(!bytes.windows(4).any(|part| part == b"word"));
        assert!(!folder.path().join("tasks/torn").exists());
    }
}
