//! Files of a container, taken out and put in, whether it runs or not.
//!
//! In: paths as its own processes would write them. Out: what is there, as archives; what changed since it was made. No
//! path leads out of the container: the kernel resolves each within its root, links too.

mod changes;
mod path;
mod stat;
mod view;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use nix::fcntl::OFlag;

use crate::container::containers::Containers;
use crate::container::error::{ContainerError, Doing};
use crate::container::id::ContainerId;
use crate::container::prepare;
use crate::container::spec::user::Accounts;
use crate::tape::feed::{self, Feed};
use crate::tape::packing::{Bounds, unpacked};
use crate::tape::unpack::{Rules, unpack_into};
use crate::tape::writer::{Reach, TapeWriter};
use crate::tape::{MalformedTape, Tape};

pub use crate::tape::unpack::Clash;
pub use changes::{ChangeKind, PathChange};
pub use stat::PathStat;

use path::Wanted;
use view::View;

/// Whose files are that are put into a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// As the archive says.
    #[default]
    AsArchived,
    /// The user's whom the container runs as.
    TheContainers,
}

impl Containers {
    /// What is at a path; a link is not followed unless a slash stands at the path's end.
    ///
    /// # Errors
    /// If there is nothing, or no such container.
    pub async fn stat(&self, id: ContainerId, path: &str) -> Result<PathStat, ContainerError> {
        let wanted = Wanted::parse(path);
        let look = move |root: OwnedFd| stat::of(root.as_fd(), &wanted);
        self.look(id, look).await?.map_err(|error| self.refusal(error, (id, path)))
    }

    /// What is at a path and below it, as an archive whose names begin with the path's last part.
    ///
    /// # Errors
    /// As [`Containers::stat`]. What goes wrong later is the stream's last item.
    pub async fn take_out(
        &self,
        id: ContainerId,
        path: &str,
    ) -> Result<(PathStat, impl Stream<Item = io::Result<Bytes>> + Send + use<>), ContainerError> {
        let stat = self.stat(id, path).await?;
        let wanted = Wanted::parse(path);
        let view = self.view(id).await?;
        let archive = feed::written(move |chunks| {
            let out = chunks.again();
            view.look(move |root| {
                let mut archive = TapeWriter::new(out, Reach::Mounts).of_root(root.as_fd())?;
                let (folder, entry) = wanted.open(root.as_fd())?;
                archive.add(folder.as_fd(), &entry, &wanted.name)?;
                archive.finish()
            })?
        });
        Ok((stat, archive))
    }

    /// Unpacks an archive, packed or not, into a folder.
    ///
    /// # Errors
    /// If there is no such folder, it cannot be written, or the archive is refused; what was unpacked before stays.
    pub async fn put_in(
        &self,
        id: ContainerId,
        path: &str,
        (clash, ownership): (Clash, Ownership),
        archive: impl Stream<Item = io::Result<Bytes>>,
    ) -> Result<(), ContainerError> {
        let owner = match ownership {
            Ownership::AsArchived => None,
            Ownership::TheContainers => self.owner(id).await?,
        };
        let wanted = Wanted::parse(path);
        let view = self.view(id).await?;
        let work = move |feed: Feed| {
            view.look(move |root| {
                wanted.folder(root.as_fd(), OFlag::O_PATH)?;
                let bounds = Bounds::default();
                let mut tape = Tape::new(unpacked(feed, bounds)?);
                unpack_into(&mut tape, (root, wanted.path), Rules { clash, owner }, bounds.entries)
            })
        };
        let unpacked = feed::consumed(archive, work).await.map_err(|_| ContainerError::ShuttingDown)?;
        unpacked.and_then(|done| done).map(drop).map_err(|error| self.refusal(error, (id, path)))
    }

    /// All its files as an archive, without what is mounted in it.
    ///
    /// # Errors
    /// If there is no such container. What goes wrong later is the stream's last item.
    pub async fn export(
        &self,
        id: ContainerId,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, ContainerError> {
        let view = self.view(id).await?;
        Ok(feed::written(move |chunks| {
            let out = chunks.again();
            view.look(move |root| {
                let mut archive = TapeWriter::new(out, Reach::OneFileSystem);
                archive.add_contents(Wanted::parse("/").folder(root.as_fd(), OFlag::O_RDONLY)?, b"")?;
                archive.finish()
            })?
        }))
    }

    /// What was added, changed or removed since it was made, by path.
    ///
    /// # Errors
    /// If there is no such container, or its files cannot be read.
    pub async fn changes(&self, id: ContainerId) -> Result<Vec<PathChange>, ContainerError> {
        let record = self.inspect(id)?;
        let ground = Arc::clone(&self.ground);
        let compared = tokio::task::spawn_blocking(move || changes::of(&ground, &record)).await;
        compared
            .map_err(|_| ContainerError::ShuttingDown)?
            .doing(|| format!("comparing container {id} with its image"))
    }

    /// Lets blocking work look at the files, where that holds nobody up.
    async fn look<T: Send + 'static>(
        &self,
        id: ContainerId,
        look: impl FnOnce(OwnedFd) -> T + Send + 'static,
    ) -> Result<T, ContainerError> {
        let view = self.view(id).await?;
        let looked = tokio::task::spawn_blocking(move || view.look(look)).await;
        looked.map_err(|_| ContainerError::ShuttingDown)?.doing(|| format!("looking into container {id}"))
    }

    async fn view(&self, id: ContainerId) -> Result<View, ContainerError> {
        Ok(View::of(&self.ground, self.handle(id)?).await)
    }

    /// The numbers of the user and group it runs as; nothing if it names none.
    async fn owner(&self, id: ContainerId) -> Result<Option<(u32, u32)>, ContainerError> {
        let record = self.inspect(id)?;
        let name = prepare::user_of(&record.description).to_owned();
        if name.is_empty() {
            return Ok(None);
        }
        let text = |root: &OwnedFd, path: &str| match Wanted::parse(path).read(root.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        };
        let look = move |root: OwnedFd| {
            Ok(Accounts { passwd: text(&root, "/etc/passwd")?, group: text(&root, "/etc/group")? })
        };
        let accounts: io::Result<Accounts> = self.look(id, look).await?;
        let user =
            accounts.doing(|| format!("reading the accounts of container {id}"))?.resolve(&name, &[])?;
        Ok(Some((user.uid, user.gid)))
    }

    /// What the file system or the archive says no to, in the words of users.
    fn refusal(&self, error: io::Error, (id, path): (ContainerId, &str)) -> ContainerError {
        if let Some(malformed) = error.get_ref().and_then(|inner| inner.downcast_ref::<MalformedTape>()) {
            return ContainerError::Invalid(malformed.to_string());
        }
        match error.kind() {
            io::ErrorKind::NotFound => {
                let container =
                    self.inspect(id).map_or_else(|_| id.to_string(), |record| record.name.clone());
                ContainerError::NoSuchFile { path: path.to_owned(), container }
            }
            io::ErrorKind::NotADirectory => {
                ContainerError::Invalid(format!("extraction point is not a directory: {path}"))
            }
            io::ErrorKind::ReadOnlyFilesystem => ContainerError::ReadOnly(format!(
                "container rootfs or mounted volume is marked read-only: {path}"
            )),
            _ => ContainerError::Machine { doing: format!("copying {path} of container {id}"), cause: error },
        }
    }
}
