//! What this machine is in a swarm at the moment, and how it is asked to become something else.
//!
//! One task owns the node (`node.rs`). It publishes a [`Standing`] whenever something changes, and takes one
//! [`Command`] after the other. Routes hold a [`NodeHandle`]: they read the first and send the second.

use std::sync::Arc;

use api::ApiError;
use api::swarm::{InitRequest, JoinRequest, Peer};
use control::leader::{Answer, Request};
use manager::Ask;
use manager::book::Reader;
use manager::services::LogReader;
use model::limits::REQUEST_TIMEOUT;
use model::{NodeId, Refusal, RefusalKind};
use store::State;
use tokio::sync::{mpsc, oneshot, watch};

/// What this machine is in a swarm.
#[derive(Clone, Debug, Default)]
pub(crate) enum Standing {
    /// Alone.
    #[default]
    Inactive,
    /// On its way into a swarm.
    Pending(Facts),
    /// A manager whose key is sealed, so that it knows little of itself.
    Locked(Facts),
    /// A member that came back after its certificate had ended.
    Expired,
    /// A member of a swarm that cannot work, and why.
    Broken(Facts, String),
    /// A worker.
    Worker(Facts),
    /// A manager that has its book.
    Manager(Facts, Manager),
}

/// What a member of a swarm knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its id, once it has one.
    pub(crate) node_id: Option<NodeId>,
    /// Where others reach it.
    pub(crate) addr: String,
    /// Managers it knows.
    pub(crate) managers: Vec<Peer>,
}

/// What the routes of a manager work with: its book, and whoever leads.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    /// The book as this manager has it, which may be behind the others'.
    pub(crate) book: Reader,
    /// The way to the leader, wherever it is.
    pub(crate) leader: Ask,
    /// The way to what tasks write, wherever they run.
    pub(crate) logs: LogReader,
}

impl Manager {
    /// The book with everything that any manager has acknowledged by now.
    ///
    /// # Errors
    /// If nobody leads the managers.
    pub(crate) async fn state(&self) -> Result<Arc<State>, ApiError> {
        Ok(self.leader.read().await?)
    }

    /// Asks the leader, and waits as long as a client may be kept waiting.
    ///
    /// # Errors
    /// The leader's refusal, or that nobody answered in time.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, ApiError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.leader.request(request)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                let message = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
                Err(ApiError::internal(message))
            }
        }
    }
}

/// What a node can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Found a swarm. The answer is the node's id.
    Init(Box<InitRequest>, Reply<String>),
    /// Join a swarm.
    Join(Box<JoinRequest>, Reply<()>),
    /// Leave the swarm.
    Leave(Farewell, Reply<()>),
    /// Unseal the manager's key with `SWMKEY-1-…`.
    Unlock(String, Reply<()>),
}

/// Whether a node leaves although that may harm the swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Not if it harms.
    Careful,
    /// In any case.
    Forced,
}

/// Where the answer to a command goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// The way to the task that owns the node.
#[derive(Clone, Debug)]
pub(crate) struct NodeHandle {
    standing: watch::Receiver<Standing>,
    commands: mpsc::Sender<Command>,
}

impl NodeHandle {
    /// A way to the node that publishes its standing here and takes commands there.
    pub(crate) fn new(standing: watch::Receiver<Standing>, commands: mpsc::Sender<Command>) -> Self {
        Self { standing, commands }
    }

    /// What the machine is now.
    pub(crate) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// What the machine becomes, for those who wait for it.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// The manager's side.
    ///
    /// # Errors
    /// If the machine is no manager that works, or nobody leads the managers, in the words that clients have come to
    /// expect.
    pub(crate) fn manager(&self) -> Result<Manager, ApiError> {
        match &*self.standing.borrow() {
            Standing::Manager(_, manager) => {
                manager.leader.check_led()?;
                Ok(manager.clone())
            }
            other => Err(ApiError::unavailable(other.why_no_manager())),
        }
    }

    /// Founds a swarm.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn init(&self, request: InitRequest) -> Result<String, ApiError> {
        self.tell(|reply| Command::Init(Box::new(request), reply)).await
    }

    /// Joins a swarm. It goes on in the background if that takes too long for a client to wait.
    ///
    /// # Errors
    /// Why not, or not yet.
    pub(crate) async fn join(&self, request: JoinRequest) -> Result<(), ApiError> {
        let joined = self.tell(|reply| Command::Join(Box::new(request), reply));
        let late = |_| ApiError::unavailable(STILL_JOINING);
        tokio::time::timeout(REQUEST_TIMEOUT, joined).await.map_err(late)?
    }

    /// Leaves the swarm.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn leave(&self, farewell: Farewell) -> Result<(), ApiError> {
        self.tell(|reply| Command::Leave(farewell, reply)).await
    }

    /// Unseals the manager's key.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn unlock(&self, key: String) -> Result<(), ApiError> {
        self.tell(|reply| Command::Unlock(key, reply)).await
    }

    async fn tell<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ApiError> {
        let gone = || ApiError::unavailable("the daemon is shutting down");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Standing {
    /// The word that `/info` says.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending(_) => "pending",
            Self::Locked(_) => "locked",
            Self::Expired | Self::Broken(..) => "error",
            Self::Worker(_) | Self::Manager(..) => "active",
        }
    }

    /// The word that `/_ping` says.
    pub(crate) fn ping_word(&self) -> &'static str {
        match self {
            Self::Worker(_) => "active/worker",
            Self::Manager(..) => "active/manager",
            other => other.word(),
        }
    }

    /// What a member knows of itself.
    pub(crate) fn facts(&self) -> Facts {
        match self {
            Self::Inactive | Self::Expired => Facts::default(),
            Self::Pending(facts)
            | Self::Locked(facts)
            | Self::Broken(facts, _)
            | Self::Worker(facts)
            | Self::Manager(facts, _) => facts.clone(),
        }
    }

    fn why_no_manager(&self) -> &'static str {
        match self {
            Self::Inactive => {
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect \
                 this node to swarm and try again."
            }
            Self::Locked(_) => LOCKED,
            Self::Worker(_) => {
                "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. \
                 Please run this command on a manager node or promote the current node to a manager."
            }
            Self::Expired => CERTIFICATE_EXPIRED,
            Self::Pending(_) | Self::Broken(..) | Self::Manager(..) => {
                "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the \
                 cluster."
            }
        }
    }
}

const CERTIFICATE_EXPIRED: &str =
    "Swarm certificates have expired. To replace them, leave the swarm and join again.";

/// What a manager says whose key is sealed.
pub(crate) const LOCKED: &str = "Swarm is encrypted and needs to be unlocked before it can be used. Please use \"docker \
                                 swarm unlock\" to unlock it.";

const STILL_JOINING: &str = "Timeout was reached before node joined. The attempt to join the swarm will continue in \
                             the background. Use the \"docker info\" command to see the current swarm status of your \
                             node.";

/// The refusal of an answer that does not fit its question: a leader of another make.
pub(crate) fn unfitting() -> ApiError {
    Refusal::new(RefusalKind::Unknown, "the leader's answer does not fit the question").into()
}
