//! What this machine is in a swarm, and how it becomes something else: the one owner of the membership.
//!
//! In: commands from routes, one after the other. Out: a [`Standing`] that everybody may watch. It starts and stops
//! the shells of a manager and a worker; it decides nothing about the swarm.

mod address;
mod files;
mod founding;
mod membership;

use std::sync::Arc;

use agent::Credentials;
use anyhow::{Context, Result};
use api::ApiError;
use api::swarm::{InitRequest, Peer};
use control::leader::Founding;
use host::clock;
use manager::Failure;
use manager::keys::LogKeys;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::Config;
use crate::executor::ContainerExecutor;
use crate::standing::{CERTIFICATE_EXPIRED, Command, Facts, Farewell, Manager, NodeHandle, Standing};

use files::{Participation, SwarmFiles};
use founding::{Beginning, Wishes};
use membership::{Membership, Start};

/// The owner of this machine's membership.
pub(crate) struct Node {
    files: SwarmFiles,
    executor: Arc<ContainerExecutor>,
    membership: Option<Membership>,
    standing: watch::Sender<Standing>,
    commands: mpsc::Receiver<Command>,
}

/// Commands that may wait; they come from people.
const COMMANDS_WAITING_MAX: usize = 16;

impl Node {
    /// The owner, and the way to it.
    pub(crate) fn new(config: &Config, executor: Arc<ContainerExecutor>) -> (Self, NodeHandle) {
        let files = SwarmFiles::below(&config.data_root);
        let takes_part = !matches!(files.participation(), Ok(None));
        let first = if takes_part { Standing::Pending(Facts::default()) } else { Standing::Inactive };
        let (standing, watched) = watch::channel(first);
        let (sender, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
        (Self { files, executor, membership: None, standing, commands }, NodeHandle::new(watched, sender))
    }

    /// Takes up the membership that this machine had, then obeys until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.resume().await;
        loop {
            let command = tokio::select! {
                () = stop.cancelled() => break,
                command = self.commands.recv() => command,
                failure = failure_of(self.membership.as_ref()) => {
                    self.fail(failure).await;
                    continue;
                }
            };
            match command {
                Some(command) => self.obey(command).await,
                None => break,
            }
        }
        if let Some(membership) = self.membership.take() {
            membership.stop().await;
        }
    }

    async fn obey(&mut self, command: Command) {
        // Nobody has to wait for an answer.
        match command {
            Command::Init(request, reply) => drop(reply.send(self.init(*request).await)),
            Command::Join(_, reply) => {
                drop(reply.send(Err(ApiError::not_built("joining a swarm of other hosts"))))
            }
            Command::Leave(farewell, reply) => drop(reply.send(self.leave(farewell).await)),
            Command::Unlock(_, reply) => drop(reply.send(Err(ApiError::conflict("swarm is not locked")))),
        }
    }

    /// Takes part again, if this machine did when the daemon ended.
    async fn resume(&mut self) {
        let participation = match self.files.participation() {
            Ok(None) => return,
            Ok(Some(participation)) => participation,
            Err(error) => return self.broken(&error),
        };
        info!(addr = %participation.advertise_addr, "taking part in the swarm again");
        if let Err(error) = self.begin(participation, None).await {
            self.broken(&error);
        }
    }

    async fn init(&mut self, request: InitRequest) -> Result<String, ApiError> {
        if !matches!(&*self.standing.borrow(), Standing::Inactive) {
            return Err(ApiError::unavailable(ALREADY_IN));
        }
        let addresses =
            address::choose(&request.listen_addr, &request.advertise_addr, &address::interfaces()?)?;
        let wishes = Wishes::of(request)?;
        let founded = self.found(wishes, addresses).await;
        if let Err(error) = &founded {
            error!("founding a swarm: {error:#}");
            self.standing.send_replace(Standing::Inactive);
            // What is left over would be in the way of the next try.
            let _ = self.files.forget();
        }
        founded.map_err(|error| ApiError::internal(format!("{error:#}")))
    }

    async fn found(&mut self, wishes: Wishes, addresses: address::Addresses) -> Result<String> {
        let chance = &mut host::chance::chance().context("asking the kernel for chance")?;
        let Beginning { founding, identity, chain, key } = founding::begin(wishes, clock::now(), chance)?;
        let mut key = key.to_file();
        LogKeys::random(chance).write(&mut key, None, chance);
        let (folder, roots) = (self.files.certificates(), identity.roots().clone());
        Credentials::begin(&folder, roots, (&chain, &key), None, clock::now())
            .context("keeping the first credentials")?;
        let participation = Participation {
            listen_addr: addresses.listen,
            advertise_addr: addresses.advertise,
            raft_id: chance.number() >> 1 | 1,
        };
        self.begin(participation.clone(), Some(founding)).await?;
        self.files.take_part(&participation)?;
        Ok(identity.subject.common_name)
    }

    async fn begin(&mut self, participation: Participation, founding: Option<Founding>) -> Result<()> {
        let start =
            Start { files: &self.files, participation, founding, executor: Arc::clone(&self.executor) };
        let membership = Membership::start(start).await?;
        let peer = Peer { node_id: membership.node_id.to_string(), addr: membership.advertise.to_string() };
        let facts = Facts {
            node_id: Some(membership.node_id),
            addr: membership.advertise.ip().to_string(),
            managers: vec![peer],
        };
        let manager = Manager {
            book: membership.manager.book().clone(),
            leader: membership.manager.ask().clone(),
            logs: membership.logs.clone(),
        };
        self.membership = Some(membership);
        self.standing.send_replace(Standing::Manager(facts, manager));
        Ok(())
    }

    async fn leave(&mut self, farewell: Farewell) -> Result<(), ApiError> {
        match &*self.standing.borrow() {
            Standing::Inactive => return Err(ApiError::unavailable("This node is not part of a swarm")),
            Standing::Manager(..) if farewell == Farewell::Careful => {
                return Err(ApiError::unavailable(LAST_MANAGER));
            }
            _ => {}
        }
        if let Some(membership) = self.membership.take() {
            membership.stop().await;
        }
        self.executor.remove_all().await;
        let forgotten = self.files.forget();
        self.standing.send_replace(Standing::Inactive);
        forgotten.map_err(|error| ApiError::internal(format!("forgetting the swarm: {error}")))
    }

    /// Ends a membership whose manager can do no more. Its containers go on, and what is on disk is right.
    async fn fail(&mut self, failure: Failure) {
        if let Some(membership) = self.membership.take() {
            membership.stop().await;
        }
        self.broken(
            &anyhow::Error::new(failure)
                .context("the manager has ended; mend what it says and restart skepd"),
        );
    }

    /// Says that this machine is a member that cannot work, and why.
    fn broken(&self, error: &anyhow::Error) {
        error!("taking part in the swarm: {error:#}");
        let text = format!("{error:#}");
        let why = if text.contains("has expired") { CERTIFICATE_EXPIRED.to_owned() } else { text };
        self.standing.send_replace(Standing::Broken(Facts::default(), why));
    }
}

/// Ends when the manager can do no more.
async fn failure_of(membership: Option<&Membership>) -> Failure {
    match membership {
        Some(membership) => membership.manager.failure().await,
        None => std::future::pending().await,
    }
}

const ALREADY_IN: &str = "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and \
                          join another one.";
const LAST_MANAGER: &str = "You are attempting to leave the swarm on a node that is participating as a manager. \
                            Removing the last manager erases all current state of the swarm. Use `--force` to \
                            ignore this message. ";
