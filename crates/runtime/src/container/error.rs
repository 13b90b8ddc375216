//! What can go wrong with containers, in the words that clients have come to expect.

use std::io;

use crate::container::id::ContainerId;

/// A no from the rooms of containers.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// There is no such container.
    #[error("No such container: {0}")]
    NotFound(String),
    /// There is nothing at a path in a container.
    #[error("Could not find the file {path} in container {container}")]
    NoSuchFile {
        /// The path.
        path: String,
        /// The container's name.
        container: String,
    },
    /// What shall be written cannot be.
    #[error("{0}")]
    ReadOnly(String),
    /// There is no such process in a container.
    #[error("No such exec instance: {0}")]
    ExecNotFound(String),
    /// Something is wrong with a volume.
    #[error(transparent)]
    Volume(#[from] crate::volume::VolumeError),
    /// A prefix of an id fits several containers.
    #[error("Multiple IDs found with provided prefix: {0}")]
    Ambiguous(String),
    /// The name is another container's.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". You have to \
         remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        owner: ContainerId,
    },
    /// The description breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// It is so already: nothing was done.
    #[error("{0}")]
    NotModified(String),
    /// The container's state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The process could not be started.
    #[error("{message}")]
    Start {
        /// What a shell would say: 126 (cannot be run), 127 (not found), else 128.
        exit_code: u8,
        /// In the runtime's words.
        message: String,
    },
    /// A program, or a file that a package brings, is missing on this machine.
    #[error("{what} is not installed on this node; install it, for example by: apt-get install {package}")]
    Missing {
        /// What is missing.
        what: String,
        /// The package that brings it.
        package: &'static str,
    },
    /// This is not built.
    #[error("{0}")]
    NotBuilt(String),
    /// The machine said no.
    #[error("{doing}")]
    Machine {
        /// What was being done.
        doing: String,
        /// What it said.
        #[source]
        cause: io::Error,
    },
    /// The daemon is on its way down.
    #[error("the daemon is shutting down")]
    ShuttingDown,
}

/// Adds to an error of the machine what was being done.
pub(crate) trait Doing<T> {
    /// `doing` in the -ing form.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, ContainerError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, ContainerError> {
        self.map_err(|cause| ContainerError::Machine { doing: doing(), cause: cause.into() })
    }
}
