//! What a keeper can be told, and in which words.

use tokio::sync::oneshot;

use crate::container::attachment::Attachment;
use crate::container::description::{Limits, Size, Surroundings};
use crate::container::error::ContainerError;
use crate::container::health::Health;
use crate::container::restart::RestartPolicy;

/// What a keeper can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Start it; the answer comes when it runs.
    Start(Option<Surroundings>, Occasion, Answer),
    /// Connect with it: now if it runs, else when it starts.
    Attach(oneshot::Sender<Result<Attachment, ContainerError>>),
    /// A signal for its process.
    Signal(u8, Answer),
    /// A user wants it to end.
    MarkStopped,
    /// Its terminal has another size.
    Resize(Size, Answer),
    /// It stands still, or goes on.
    Freeze(Frozen, Answer),
    /// Another name, which is already kept for it.
    Rename(String, Answer),
    /// Other limits, and perhaps another policy.
    Update(Box<Limits>, Option<RestartPolicy>, Answer),
    /// What is known of its health.
    Health(Health),
    /// Leave nothing of it.
    Remove(Leavings, Answer),
}

/// To whom a command is answered.
pub(crate) type Answer = oneshot::Sender<Result<(), ContainerError>>;

/// Why a container is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody wishes it.
    Wished,
    /// It has ended, and is due to be started again.
    Due,
}

/// Whether a container stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// It does.
    Still,
    /// It goes on.
    Moving,
}

/// What is left of a container that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leavings {
    /// Its volumes, also those without name.
    Volumes,
    /// Nothing; named volumes are not its.
    Nothing,
}
