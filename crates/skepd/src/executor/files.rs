//! Secrets and configs as files of a task: in memory, never on a disk.
//!
//! They lie in a file system in memory below the exec root, one folder for each task, and are shown to its
//! container read-only. Nobody but root may enter the folder; each file has the owner and mode that were wished.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use agent::Dependencies;
use api::template::TemplateError;
use control::worker::Failure;
use model::spec::container::{ConfigTarget, ContainerSpec, FileTarget};
use model::{Task, TaskId};
use runtime::container::description::{Mount, MountAccess, MountSource};

use super::template::TaskTemplates;
use crate::memory;

/// The files of all tasks.
#[derive(Clone, Debug)]
pub(crate) struct TaskFiles {
    root: PathBuf,
}

/// Where secrets show if they name no absolute path.
const SECRETS: &str = "/run/secrets";

/// Why a task's files could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// A task needs something that the managers have not sent.
    #[error("{0}")]
    Missing(String),
    /// A wished owner is no number.
    #[error("the {field} of {file} must be a number, not \"{value}\"")]
    Owner {
        /// Which.
        field: &'static str,
        /// Of which file.
        file: String,
        /// What was given.
        value: String,
    },
    /// A template cannot be filled.
    #[error("{0}")]
    Template(#[from] TemplateError),
    /// The file system said no.
    #[error("writing the secrets and configs of a task")]
    Machine(#[from] io::Error),
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Self {
        let temporary = matches!(error, FilesError::Machine(_));
        Self { message: error.to_string(), temporary, container: None }
    }
}

impl TaskFiles {
    /// Opens the place for files below an exec root, in memory.
    pub(crate) fn open(exec_root: &Path) -> io::Result<Self> {
        let root = exec_root.join("task-files");
        host::files::make_folder(&root, host::files::Access::Private)?;
        memory::ensure(&root)?;
        Ok(Self { root })
    }

    /// Writes a task's secrets and configs, and tells how to show them. Done again, it does nothing new.
    pub(crate) fn write(
        &self,
        task: &Task,
        spec: &ContainerSpec,
        needs: &Dependencies,
        templates: &TaskTemplates,
    ) -> Result<Vec<Mount>, FilesError> {
        let folder = self.root.join(task.id.as_str());
        let mut mounts = Vec::new();
        for reference in &spec.secrets {
            let missing =
                || FilesError::Missing(format!("secret reference {} not found", reference.secret_id));
            let secret = needs.secret(reference.secret_id).ok_or_else(missing)?;
            let data = filled(&secret.spec.data, secret.spec.templating.is_some(), templates)?;
            let Some(file) = &reference.file else { continue };
            mounts.push(put(&folder, reference.secret_id.as_str(), &data, file, SECRETS)?);
        }
        for reference in &spec.configs {
            let missing =
                || FilesError::Missing(format!("config reference {} not found", reference.config_id));
            let config = needs.config(reference.config_id).ok_or_else(missing)?;
            let data = filled(&config.spec.data, config.spec.templating.is_some(), templates)?;
            let Some(ConfigTarget::File(file)) = &reference.target else { continue };
            mounts.push(put(&folder, reference.config_id.as_str(), &data, file, "/")?);
        }
        Ok(mounts)
    }

    /// Leaves nothing of a task's files.
    pub(crate) fn remove(&self, task: TaskId) -> io::Result<()> {
        host::files::remove_if_there(&self.root.join(task.as_str()))
    }
}

fn put(folder: &Path, name: &str, data: &[u8], file: &FileTarget, base: &str) -> Result<Mount, FilesError> {
    host::files::make_folder(folder, host::files::Access::Private)?;
    let owner = |field: &'static str, text: &str| match text {
        "" => Ok(0),
        text => text.parse::<u32>().map_err(|_| FilesError::Owner {
            field,
            file: file.name.clone(),
            value: text.to_owned(),
        }),
    };
    let (uid, gid) = (owner("UID", &file.uid)?, owner("GID", &file.gid)?);
    let path = folder.join(name);
    host::files::replace(&path, data, host::files::Access::Private, host::files::Durability::Cached)?;
    // Go's file modes share the lower nine bits with the kernel's.
    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode & 0o777))?;
    chown(&path, Some(uid), Some(gid))?;
    let target = if file.name.starts_with('/') {
        file.name.clone()
    } else {
        format!("{}/{}", base.trim_end_matches('/'), file.name)
    };
    let source = MountSource::Bind { path, propagation: String::new(), non_recursive: false, create: false };
    Ok(Mount { source, target, access: MountAccess::ReadOnly })
}

fn filled(data: &[u8], is_template: bool, templates: &TaskTemplates) -> Result<Vec<u8>, FilesError> {
    match std::str::from_utf8(data) {
        Ok(text) if is_template => Ok(templates.fill(text)?.into_bytes()),
        _ => Ok(data.to_vec()),
    }
}
