//! The ways into a swarm: back into the one this node was in, by founding one, by joining one, or alone out of one
//! whose managers are lost.
//!
//! In: what a user or the disk says, checked before anything is changed. Out: a membership at work, or why there is
//! none. What is written is in such an order that an end at any point leaves the node either in or out.

use std::sync::Arc;

use agent::{CertificateError, Credentials};
use anyhow::{Context, Result};
use api::ApiError;
use api::swarm::{InitRequest, JoinRequest};
use host::clock;
use manager::Pace;
use manager::keys::LogKeys;
use model::node::Availability;
use pki::token::NotAToken;
use pki::{JoinToken, UnlockKey};
use tokio_util::sync::CancellationToken;

use super::address::{self, Addresses};
use super::files::{Participation, SwarmFiles};
use super::founding::{self, Beginning, Wishes};
use super::membership::{Membership, Start};
use super::office::Opening;
use crate::executor::ContainerExecutor;

/// A way into a swarm.
pub(super) enum Way {
    /// Back into the swarm that this node was in, with the key that unlocks it if it is locked.
    Back(Participation, Option<UnlockKey>),
    /// By founding a swarm.
    Found(Box<Wishes>, Participation),
    /// By joining a swarm.
    Join(Ticket),
    /// Alone, as the only manager that is left, with the key that its own is sealed with.
    Alone(Participation, Option<UnlockKey>),
}

/// What lets a node into a swarm, checked.
pub(super) struct Ticket {
    participation: Participation,
    token: String,
    availability: Availability,
}

/// How a node takes part, with what its manager begins, and what its key is sealed with.
type Entry = (Participation, Opening, Option<UnlockKey>);

/// What is needed on every way.
pub(super) struct Arrival {
    /// What this node keeps.
    pub(super) files: SwarmFiles,
    /// Its hands.
    pub(super) executor: Arc<ContainerExecutor>,
    /// How soon managers take each other for lost.
    pub(super) pace: Pace,
}

impl Way {
    /// Founds a swarm as a user wishes it.
    ///
    /// # Errors
    /// If the wishes make no sense.
    pub(super) fn to_found(request: InitRequest, default_advertise: &str) -> Result<Self, ApiError> {
        let advertise = or(&request.advertise_addr, default_advertise);
        let interfaces = address::interfaces()?;
        let addresses = address::choose(&request.listen_addr, advertise, &interfaces)?;
        let participation = Participation {
            listen_addr: addresses.listen,
            advertise_addr: addresses.advertise,
            data_path_addr: address::data_path(&request.data_path_addr, &interfaces)?,
            remote_addr: String::new(),
            raft_id: 0,
            joining: false,
        };
        Ok(Self::Found(Box::new(Wishes::of(request)?), participation))
    }

    /// Joins a swarm as a user wishes it. Only the first of the named managers is asked.
    ///
    /// # Errors
    /// If the wishes make no sense.
    pub(super) fn to_join(request: JoinRequest, default_advertise: &str) -> Result<Self, ApiError> {
        let JoinRequest {
            listen_addr,
            advertise_addr,
            data_path_addr,
            remote_addrs,
            join_token,
            availability,
        } = request;
        join_token.parse::<JoinToken>().map_err(|error: NotAToken| ApiError::invalid(error.to_string()))?;
        let remote = remote_addrs.into_iter().next();
        let remote = remote.ok_or_else(|| ApiError::invalid("at least 1 RemoteAddr is required to join"))?;
        let remote_addr = address::with_port(&remote)?;
        let interfaces = address::interfaces()?;
        let said = (listen_addr.as_str(), or(&advertise_addr, default_advertise));
        let addresses = address::choose_to_join(said, &remote_addr, &interfaces)?;
        let availability = match availability.as_str() {
            "" => Availability::Active,
            word => api::node::availability_from(word)?,
        };
        let participation = Participation {
            listen_addr: addresses.listen,
            advertise_addr: addresses.advertise,
            data_path_addr: address::data_path(&data_path_addr, &interfaces)?,
            remote_addr,
            raft_id: 0,
            joining: false,
        };
        Ok(Self::Join(Ticket { participation, token: join_token, availability }))
    }

    /// Goes on alone, at other addresses if the user says so.
    ///
    /// # Errors
    /// If they make no sense.
    pub(super) fn alone(
        participation: Participation,
        unlock: Option<UnlockKey>,
        request: &InitRequest,
    ) -> Result<Self, ApiError> {
        if request.advertise_addr.is_empty() {
            return Ok(Self::Alone(participation, unlock));
        }
        let Addresses { listen, advertise } =
            address::choose(&request.listen_addr, &request.advertise_addr, &address::interfaces()?)?;
        let participation = Participation { listen_addr: listen, advertise_addr: advertise, ..participation };
        Ok(Self::Alone(participation, unlock))
    }
}

impl Arrival {
    /// Goes this way. Returns when the node is what it shall be; one that goes back, when it is known how it is.
    ///
    /// # Errors
    /// What is in the way; then nothing runs.
    pub(super) async fn take(self, way: Way, give_up: CancellationToken) -> Result<Membership> {
        let goes_back = matches!(way, Way::Back(..));
        let entered = give_up.run_until_cancelled(self.enter(way)).await;
        let mut membership = Membership::start(entered.context(GIVEN_UP)??).await?;
        let arriving = async {
            if goes_back {
                membership.settled().await;
                return Ok(());
            }
            membership.ready().await
        };
        let arrived = give_up.run_until_cancelled(arriving).await.context(GIVEN_UP).flatten();
        if let Err(error) = arrived {
            membership.stop().await;
            return Err(error);
        }
        Ok(membership)
    }

    /// Does on disk what makes this node a member.
    async fn enter(self, way: Way) -> Result<Start> {
        let (participation, opening, unlock) = match way {
            Way::Back(participation, unlock) => (participation, Opening::Usual, unlock),
            Way::Found(wishes, participation) => self.found(*wishes, participation)?,
            Way::Join(ticket) => self.join(ticket).await?,
            Way::Alone(participation, unlock) => (participation, Opening::Alone, unlock),
        };
        self.files.take_part(&participation)?;
        let Self { files, executor, pace } = self;
        Ok(Start { files, participation, opening, unlock, pace, executor })
    }

    fn found(&self, wishes: Wishes, participation: Participation) -> Result<Entry> {
        // What an earlier swarm may have left would be in the way.
        self.files.forget().context("making room for a new swarm")?;
        let chance = &mut host::chance::chance().context("asking the kernel for chance")?;
        let Beginning { founding, identity, chain, key, unlock } =
            founding::begin(wishes, clock::now(), chance)?;
        let mut key = key.to_file();
        LogKeys::random(chance).write(&mut key, unlock.as_ref(), chance);
        let (folder, roots) = (self.files.certificates(), identity.roots().clone());
        Credentials::begin(&folder, roots, (&chain, &key), unlock.clone(), clock::now())
            .context("keeping the first credentials")?;
        let participation = Participation { raft_id: chance.number() >> 1 | 1, ..participation };
        Ok((participation, Opening::Founding(Box::new(founding)), unlock))
    }

    async fn join(&self, ticket: Ticket) -> Result<Entry> {
        let Ticket { participation, token, availability } = ticket;
        self.files.forget().context("making room for another swarm")?;
        let folder = self.files.certificates();
        let joined = Credentials::join(&folder, &participation.remote_addr, &token, availability).await?;
        Ok((participation, Opening::Usual, joined.unlock_key()))
    }
}

/// What a user is told who wanted to enter a swarm and did not.
pub(super) fn refusal(error: &anyhow::Error) -> ApiError {
    match error.downcast_ref() {
        Some(CertificateError::Refused(status)) => wire::refusal_of(status).into(),
        Some(CertificateError::Connect(_)) => {
            let cause = error.root_cause();
            ApiError::unavailable(format!("rpc error: code = Unavailable desc = connection error: {cause}"))
        }
        _ => ApiError::internal(format!("{error:#}")),
    }
}

/// What the user says, else what the daemon's settings say.
fn or<'a>(said: &'a str, default: &'a str) -> &'a str {
    if said.is_empty() { default } else { said }
}

const GIVEN_UP: &str = "it was given up";
