//! Takes managers into the group and lets them go, one after the other, while this manager leads.
//!
//! In: who wants to come or go. Out: the group as it is then, or why not. A node that asks again gets the same answer
//! again. It knows no roles: who may be a manager is judged before.

use std::sync::Arc;

use model::{Chance, Duration, NodeId, Refusal, RefusalKind};
use raft::{ConfChangeKind, Refused, ReplicaId};
use store::State;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::Member;

use crate::book::Reader;
use crate::manager::Group;
use crate::members::{Members, Reachability};

/// Wishes that may wait.
const WISHES_MAX: usize = 64;
/// How long a change of the group may take: longer than any election.
const CHANGE_MAX: Duration = Duration::from_secs(10);
/// Numbers of replicas are drawn from below this, as stock managers draw them (`raft.md` section 1).
const RAFT_IDS: u64 = 1 << 63;

/// The way to the registrar.
#[derive(Clone, Debug)]
pub(crate) struct Registrar(mpsc::Sender<Wish>);

/// What a manager is told that was taken into the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Its number.
    pub raft_id: ReplicaId,
    /// All members, itself among them.
    pub members: Vec<Member>,
}

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What somebody wants of the registrar.
#[derive(Debug)]
enum Wish {
    Admit { node: NodeId, addr: String, reply: Reply<Admission> },
    Release { id: ReplicaId, reply: Reply<()> },
}

/// The one who keeps the register.
pub(crate) struct Keeper {
    wishes: mpsc::Receiver<Wish>,
    group: Group,
    members: watch::Receiver<Arc<Members>>,
    reachability: watch::Receiver<Reachability>,
    /// Moves on with whatever is applied.
    book: watch::Receiver<Arc<State>>,
    chance: Chance,
}

impl Registrar {
    /// The way to a registrar, and the registrar, who is to be run.
    pub(crate) fn new(group: Group, reader: &Reader, chance: Chance) -> (Self, Keeper) {
        let (sender, wishes) = mpsc::channel(WISHES_MAX);
        let reachability = group.reachability().subscribe();
        let (members, book) = (reader.members(), reader.watch());
        (Self(sender), Keeper { wishes, group, members, reachability, book, chance })
    }

    /// Takes a node into the group, or notes that it has moved.
    pub(crate) async fn admit(&self, node: NodeId, addr: String) -> Result<Admission, Refusal> {
        self.ask(|reply| Wish::Admit { node, addr, reply }).await
    }

    /// Lets a replica go.
    pub(crate) async fn release(&self, id: ReplicaId) -> Result<(), Refusal> {
        self.ask(|reply| Wish::Release { id, reply }).await
    }

    async fn ask<T>(&self, wish: impl FnOnce(Reply<T>) -> Wish) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.0.send(wish(reply)).await.map_err(|_| lost())?;
        answer.await.unwrap_or_else(|_| Err(lost()))
    }
}

impl Keeper {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(wish)) = stop.run_until_cancelled(self.wishes.recv()).await {
            if stop.run_until_cancelled(self.grant(wish)).await.is_none() {
                return;
            }
        }
    }

    async fn grant(&mut self, wish: Wish) {
        // Whoever asked may have gone; what was done stands.
        match wish {
            Wish::Admit { node, addr, reply } => drop(reply.send(self.admit(node, addr).await)),
            Wish::Release { id, reply } => drop(reply.send(self.release(id).await)),
        }
    }

    async fn admit(&mut self, node: NodeId, addr: String) -> Result<Admission, Refusal> {
        let members = Arc::clone(&self.members.borrow());
        let raft_id = match members.of_node(node) {
            Some(member) if member.addr == addr => member.raft_id,
            Some(member) => {
                let moved = Member { addr, ..member.clone() };
                self.change(Some(&moved), ConfChangeKind::Update, moved.raft_id).await?;
                moved.raft_id
            }
            None => {
                let raft_id = self.unused_number(&members);
                let newcomer = Member { raft_id, node_id: node, addr };
                self.change(Some(&newcomer), ConfChangeKind::Add, raft_id).await?;
                raft_id
            }
        };
        let members = self.members.borrow().present.values().cloned().collect();
        Ok(Admission { raft_id, members })
    }

    async fn release(&mut self, id: ReplicaId) -> Result<(), Refusal> {
        let unreachable = self.reachability.borrow().unreachable.clone();
        if !self.members.borrow().can_spare(id, &unreachable) {
            let message = "raft: member cannot be removed, because removing it may result in loss of quorum";
            return Err(Refusal::new(RefusalKind::Unknown, message));
        }
        self.change(None, ConfChangeKind::Remove, id).await
    }

    /// Changes the group, when it is its turn; returns when that is in effect.
    async fn change(
        &mut self,
        member: Option<&Member>,
        kind: ConfChangeKind,
        id: ReplicaId,
    ) -> Result<(), Refusal> {
        let changed = async {
            loop {
                self.book.mark_unchanged();
                let changed = match member {
                    Some(member) => self.group.put_member(member, kind).await,
                    None => self.group.remove_member(id).await,
                };
                match changed {
                    Ok(()) => return Ok(()),
                    // The other one is in effect when it is applied.
                    Err(Refused::ChangePending) => self.book.changed().await.map_err(|_| lost())?,
                    Err(_) => return Err(lost()),
                }
            }
        };
        timeout(CHANGE_MAX, changed).await.unwrap_or_else(|_| Err(lost()))
    }

    /// A number that no replica has or ever had.
    fn unused_number(&mut self, members: &Members) -> ReplicaId {
        loop {
            let id = self.chance.below(RAFT_IDS - 1) + 1;
            if !members.present.contains_key(&id) && !members.removed.contains(&id) {
                return id;
            }
        }
    }
}

fn lost() -> Refusal {
    let message = "raft: failed to process the request: node lost leader status";
    Refusal::new(RefusalKind::Precondition, message)
}
