//! What this machine is in a swarm, and how it becomes something else: the one owner of the membership.
//!
//! In: commands from routes, one after the other. Out: a [`Standing`] that everybody may watch. It starts and stops
//! the shells of a manager and a worker; it decides nothing about the swarm.

mod address;
mod arrival;
mod farewell;
mod files;
mod founding;
mod lock;
mod membership;
mod office;
mod post;
mod tls;

use std::sync::Arc;

use anyhow::{Context, Result};
use api::ApiError;
use api::swarm::{InitRequest, JoinRequest};
use manager::Pace;
use model::node::NodeRole;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::Config;
use crate::executor::ContainerExecutor;
use crate::standing::{Command, Facts, Farewell, LOCKED, NodeHandle, Reply, Standing};

use arrival::{Arrival, Way};
use files::SwarmFiles;
use membership::{Expired, Membership};

/// The owner of this machine's membership.
pub(crate) struct Node {
    files: SwarmFiles,
    executor: Arc<ContainerExecutor>,
    pace: Pace,
    advertise_addr: String,
    membership: Option<Membership>,
    /// The membership that is coming about, if one is.
    arriving: JoinSet<Result<Membership>>,
    /// Gives it up.
    give_up: CancellationToken,
    /// Who waits for it.
    waiting: Waiting,
    standing: watch::Sender<Standing>,
    commands: mpsc::Receiver<Command>,
}

/// Who waits for a membership to come about.
enum Waiting {
    /// Nobody: this machine takes up what it had.
    Nobody,
    /// A user who founds a swarm, for its id.
    Founder(Reply<String>),
    /// A user who joins one.
    Joiner(Reply<()>),
    /// A user who unlocks the one that this machine was in.
    Unlocker(Reply<()>),
}

/// Commands that may wait; they come from people.
const COMMANDS_WAITING_MAX: usize = 16;

impl Node {
    /// The owner, and the way to it.
    pub(crate) fn new(config: &Config, executor: Arc<ContainerExecutor>) -> (Self, NodeHandle) {
        let files = SwarmFiles::below(&config.data_root, &config.exec_root);
        let takes_part = !matches!(files.participation(), Ok(None));
        let first = if takes_part { Standing::Pending(Facts::default()) } else { Standing::Inactive };
        let (standing, watched) = watch::channel(first);
        let (sender, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        let node = Self {
            files,
            executor,
            pace: config.pace,
            advertise_addr: config.advertise_addr.clone(),
            membership: None,
            arriving: JoinSet::new(),
            give_up: CancellationToken::new(),
            waiting: Waiting::Nobody,
            standing,
            commands,
        };
        (node, NodeHandle::new(watched, sender))
    }

    /// Takes up the membership that this machine had, then obeys until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.resume();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(command) = self.commands.recv() => self.obey(command).await,
                Some(arrived) = self.arriving.join_next() => self.arrived(arrived),
                () = change_of(self.membership.as_mut()) => self.publish(),
                else => break,
            }
        }
        self.depart().await;
    }

    async fn obey(&mut self, command: Command) {
        // Nobody has to wait for an answer.
        match command {
            Command::Init(request, reply) => self.init(*request, reply).await,
            Command::Join(request, reply) => self.join(*request, reply),
            Command::Leave(farewell, reply) => drop(reply.send(self.leave(farewell).await)),
            Command::Unlock(key, reply) => self.unlock(&key, reply),
        }
    }

    /// Takes part again, if this machine did when the daemon ended.
    fn resume(&mut self) {
        match self.files.participation() {
            Ok(None) => {}
            Ok(Some(participation)) => {
                info!(addr = %participation.advertise_addr, "taking part in the swarm again");
                self.arrive(Way::Back(participation, None), Waiting::Nobody);
            }
            Err(error) => self.broken(&error),
        }
    }

    async fn init(&mut self, request: InitRequest, reply: Reply<String>) {
        let is_inactive = matches!(&*self.standing.borrow(), Standing::Inactive);
        let way = match (is_inactive, request.force_new_cluster) {
            (true, _) => Way::to_found(request, &self.advertise_addr),
            (false, true) => self.way_alone(&request),
            (false, false) => Err(ApiError::unavailable(ALREADY_IN)),
        };
        match way {
            Ok(way) => {
                self.depart().await;
                self.arrive(way, Waiting::Founder(reply));
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// The way of a manager whose group is lost into one of its own.
    fn way_alone(&self, request: &InitRequest) -> Result<Way, ApiError> {
        if matches!(&*self.standing.borrow(), Standing::Locked(_)) {
            return Err(ApiError::unavailable(LOCKED));
        }
        if self.role() != Some(NodeRole::Manager) {
            return Err(ApiError::unavailable(ALREADY_IN));
        }
        let participation =
            self.files.participation().map_err(|error| ApiError::internal(format!("{error:#}")))?;
        let participation = participation.ok_or_else(|| ApiError::unavailable(ALREADY_IN))?;
        let unlock = self.membership.as_ref().and_then(Membership::unlock_key);
        Way::alone(participation, unlock, request)
    }

    fn join(&mut self, request: JoinRequest, reply: Reply<()>) {
        let way = match &*self.standing.borrow() {
            Standing::Inactive => Way::to_join(request, &self.advertise_addr),
            _ => Err(ApiError::unavailable(ALREADY_IN)),
        };
        match way {
            Ok(way) => self.arrive(way, Waiting::Joiner(reply)),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Takes part again as a manager whose key is sealed.
    fn unlock(&mut self, key: &str, reply: Reply<()>) {
        let way = lock::key_for(&self.standing.borrow(), key).and_then(|key| {
            let participation = self.files.participation();
            let participation = participation.map_err(|error| ApiError::internal(format!("{error:#}")))?;
            let participation = participation.ok_or_else(|| ApiError::conflict("swarm is not locked"))?;
            Ok(Way::Back(participation, Some(key)))
        });
        match way {
            Ok(way) => self.arrive(way, Waiting::Unlocker(reply)),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Sets out; meanwhile commands are obeyed.
    fn arrive(&mut self, way: Way, waiting: Waiting) {
        self.standing.send_replace(Standing::Pending(Facts::default()));
        self.waiting = waiting;
        self.give_up = CancellationToken::new();
        let arrival =
            Arrival { files: self.files.clone(), executor: Arc::clone(&self.executor), pace: self.pace };
        self.arriving.spawn(arrival.take(way, self.give_up.clone()));
    }

    /// Takes in what has come about, and tells whoever waits. What a user began and failed leaves nothing behind.
    fn arrived(&mut self, arrived: Result<Result<Membership>, JoinError>) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nobody);
        let outcome = arrived.context("a part of the daemon has panicked").flatten();
        let error = match outcome {
            Ok(membership) => {
                let id = membership.node_id().to_string();
                self.membership = Some(membership);
                self.publish();
                return waiting.succeed(id);
            }
            Err(error) => error,
        };
        match waiting {
            waiting if lock::is_locked(&error) => {
                info!("this manager's key is sealed; it waits to be unlocked");
                self.standing.send_replace(Standing::Locked(self.facts_on_disk()));
                waiting.fail(&error);
            }
            Waiting::Nobody => self.broken(&error),
            Waiting::Unlocker(_) => {
                self.broken(&error);
                waiting.fail(&error);
            }
            // Whoever waited was told that it goes on in the background, and may look what became of it.
            Waiting::Joiner(reply) if reply.is_closed() => self.broken(&error),
            waiting => {
                error!("entering a swarm: {error:#}");
                if let Err(error) = self.files.forget() {
                    error!("forgetting the swarm: {error}");
                }
                self.standing.send_replace(Standing::Inactive);
                waiting.fail(&error);
            }
        }
    }

    async fn leave(&mut self, farewell: Farewell) -> Result<(), ApiError> {
        let role = self.role();
        match &*self.standing.borrow() {
            Standing::Inactive => return Err(ApiError::unavailable("This node is not part of a swarm")),
            standing if farewell == Farewell::Careful => {
                if let Some(objection) = farewell::objection(standing, role) {
                    return Err(ApiError::unavailable(objection));
                }
            }
            _ => {}
        }
        self.depart().await;
        self.executor.remove_all().await;
        let forgotten = self.files.forget();
        self.standing.send_replace(Standing::Inactive);
        forgotten.map_err(|error| ApiError::internal(format!("forgetting the swarm: {error}")))
    }

    /// Stops the membership, or gives up the one that is coming about. Containers go on.
    async fn depart(&mut self) {
        self.give_up.cancel();
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nobody);
        while let Some(arrived) = self.arriving.join_next().await {
            if let Ok(Ok(membership)) = arrived {
                membership.stop().await;
            }
        }
        waiting.fail(&anyhow::anyhow!("it was given up"));
        if let Some(membership) = self.membership.take() {
            membership.stop().await;
        }
    }

    /// For which role this node's certificate is, as far as it is known.
    fn role(&self) -> Option<NodeRole> {
        match &self.membership {
            Some(membership) => membership.role(),
            None => {
                let credentials = agent::Credentials::load(&self.files.certificates(), None).ok().flatten();
                credentials.and_then(|credentials| credentials.identity().subject.role())
            }
        }
    }

    /// What is known of this node without its key.
    fn facts_on_disk(&self) -> Facts {
        let participation = self.files.participation().ok().flatten();
        let addr = participation.map(|participation| participation.advertise_addr.ip().to_string());
        Facts { addr: addr.unwrap_or_default(), ..Facts::default() }
    }

    /// Says what this machine is.
    fn publish(&mut self) {
        if let Some(membership) = &mut self.membership {
            self.standing.send_replace(membership.standing());
        }
    }

    /// Says that this machine is a member that cannot work, and why.
    fn broken(&self, error: &anyhow::Error) {
        error!("taking part in the swarm: {error:#}");
        self.standing.send_replace(match error.is::<Expired>() {
            true => Standing::Expired,
            false => Standing::Broken(Facts::default(), format!("{error:#}")),
        });
    }
}

impl Waiting {
    /// Tells whoever waits that it has come about. They may have gone.
    fn succeed(self, node_id: String) {
        match self {
            Self::Nobody => {}
            Self::Founder(reply) => drop(reply.send(Ok(node_id))),
            Self::Joiner(reply) | Self::Unlocker(reply) => drop(reply.send(Ok(()))),
        }
    }

    /// Tells whoever waits why it has not.
    fn fail(self, error: &anyhow::Error) {
        match self {
            Self::Nobody => {}
            Self::Founder(reply) => drop(reply.send(Err(arrival::refusal(error)))),
            Self::Joiner(reply) => drop(reply.send(Err(arrival::refusal(error)))),
            Self::Unlocker(reply) if lock::is_locked(error) => drop(reply.send(Err(lock::wrong_key()))),
            Self::Unlocker(reply) => drop(reply.send(Err(arrival::refusal(error)))),
        }
    }
}

/// Ends when something is to be said anew of this membership.
async fn change_of(membership: Option<&mut Membership>) {
    match membership {
        Some(membership) => membership.changed().await,
        None => std::future::pending().await,
    }
}

const ALREADY_IN: &str = "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and \
                          join another one.";
