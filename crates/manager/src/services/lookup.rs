//! What the calls of Control have in common: finding, listing, asking.
//!
//! In: words of the wire. Out: objects of this manager's book, answers of its leader, or a no in known words.

use std::str::FromStr;
use std::sync::Arc;

use control::leader::{Answer, Request as Question, Rotation};
use model::{Network, Refusal, Version};
use pki::{JoinToken, UnlockKey};
use store::{State, Stored, Table};
use tonic::Status;
use wire::{Malformed, OnWire, proto, status_of};

use super::guard::Guard;
use crate::ask::Ask;

/// The service that users ask.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) guard: Guard,
    ask: Ask,
}

impl Control {
    pub(super) fn new(guard: Guard, ask: Ask) -> Self {
        Self { guard, ask }
    }

    /// The book with everything that any manager has acknowledged by now.
    pub(super) async fn book(&self) -> Result<Arc<State>, Status> {
        self.ask.read().await.map_err(|refusal| status_of(&refusal))
    }

    /// Asks this manager's leader: whoever calls here looked for it here.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Status> {
        self.ask.request_of_this(question).await.map_err(|refusal| status_of(&refusal))
    }

    /// The object with this id.
    pub(super) async fn find<T>(
        &self,
        what: &str,
        text: &str,
        table: fn(&State) -> &Table<T>,
    ) -> Result<Arc<T>, Status>
    where
        T: Stored<Id: FromStr>,
    {
        let id = id(what, text)?;
        table(&*self.book().await?).get(id).cloned().ok_or_else(|| not_found(what, text))
    }

    /// By id, or else by name.
    pub(super) async fn find_network(&self, name: &str, id: &str) -> Result<Arc<Network>, Status> {
        if !id.is_empty() || name.is_empty() {
            return self.find("network", id, |state| &state.networks).await;
        }
        let book = self.book().await?;
        book.networks.named(name).next().cloned().ok_or_else(|| not_found("network", name))
    }

    /// All objects of a table that are accepted.
    pub(super) async fn list<T: Stored, W>(
        &self,
        table: fn(&State) -> &Table<T>,
        accept: impl Fn(&T) -> bool,
        to_wire: impl Fn(&T) -> W,
    ) -> Result<Vec<W>, Status> {
        let book = self.book().await?;
        Ok(table(&book).iter().filter(|object| accept(object)).map(|object| to_wire(object)).collect())
    }

    /// Draws the words that are to be changed.
    pub(super) async fn draw(&self, wished: proto::KeyRotation) -> Result<Rotation, Status> {
        let proto::KeyRotation { worker_join_token, manager_join_token, manager_unlock_key } = wished;
        let mut chance = host::chance::chance().map_err(|error| Status::internal(error.to_string()))?;
        let book = self.book().await?;
        let cluster = book.cluster().ok_or_else(|| status_of(&Refusal::no_leader()))?;
        let mut token = || JoinToken::random(&cluster.root_ca.ca_cert, &mut chance).to_string();
        let worker_token = worker_join_token.then(&mut token);
        let manager_token = manager_join_token.then(&mut token);
        let unlock_key = UnlockKey::random(&mut chance).as_bytes().to_vec();
        Ok(Rotation {
            worker_token,
            manager_token,
            unlock_key: Some(unlock_key),
            rotate_unlock_key: manager_unlock_key,
            authority: None,
        })
    }
}

/// An id in words; one that no object can have is not found.
pub(super) fn id<T: FromStr>(what: &str, text: &str) -> Result<T, Status> {
    if text.is_empty() {
        return Err(Status::invalid_argument("invalid argument"));
    }
    text.parse().map_err(|_| not_found(what, text))
}

/// The version that an update was made from.
pub(super) fn version(version: Option<proto::Version>) -> Result<Version, Status> {
    let version = version.ok_or_else(|| Status::invalid_argument("invalid argument"))?;
    Ok(Version::from_wire(version)?)
}

/// What is wished.
pub(super) fn spec<W, T: OnWire<W>>(spec: Option<W>) -> Result<Box<T>, Status> {
    let spec = spec.ok_or_else(|| Status::invalid_argument("invalid argument"))?;
    T::from_wire(spec).map(Box::new).map_err(|malformed: Malformed| malformed.into())
}

fn not_found(what: &str, which: &str) -> Status {
    status_of(&Refusal::not_found(what, which))
}

/// A leader that answers something else than was asked is broken.
pub(super) fn confused(answer: Answer) -> Status {
    Status::internal(format!("the leader answered something else: {answer:?}"))
}
