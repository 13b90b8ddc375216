//! The conversations with nodes: who may speak, and what each is told of itself and its managers.
//!
//! In: wishes to open a session; commits. Out: nodes drafted as ready; session messages, always whole. A node
//! has one session at a time; a new one ends the old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::cluster::EncryptionKey;
use model::node::{NodeDescription, NodeState, NodeStatus};
use model::{Cx, Duration, Node, NodeId, Refusal, RefusalKind, SessionId, Timestamp};
use store::{Change, Draft, Object, State};

use super::assignments::Told;
use super::{not_registered, session_invalid};
use crate::leader::input::{Output, Peer, SessionMessage, Tell, Ticket};
use crate::leader::request::Answer;

/// So many sessions may a node open within [`RATE_WINDOW`].
const RATE_MAX: u32 = 3;
/// See [`RATE_MAX`].
const RATE_WINDOW: Duration = Duration::from_secs(8);

/// All conversations.
#[derive(Debug)]
pub(super) struct Sessions {
    open: BTreeMap<NodeId, Session>,
    asking: Vec<Opening>,
    drafted: Vec<Opening>,
    ended: Vec<(NodeId, SessionId)>,
    rates: BTreeMap<NodeId, Rate>,
    shared: Shared,
}

/// One conversation.
#[derive(Debug)]
struct Session {
    id: SessionId,
    /// Present while the node listens to its assignments.
    told: Option<Told>,
    /// Whether the conversation stands; a broken one may be taken up again.
    connected: bool,
}

/// A wish to open a session.
#[derive(Debug)]
struct Opening {
    node: NodeId,
    ticket: Ticket,
    description: NodeDescription,
    addr: String,
    session: Option<SessionId>,
}

/// How often a node came lately.
#[derive(Debug)]
struct Rate {
    since: Timestamp,
    count: u32,
}

/// The part of session messages that is the same for all nodes.
#[derive(Debug, Default, PartialEq)]
struct Shared {
    managers: Vec<Peer>,
    keys: Vec<EncryptionKey>,
    root_ca: Vec<u8>,
}

/// A session that was opened, and what is to be said about it.
pub(super) struct Opened {
    pub(super) node: NodeId,
    pub(super) wishes: Vec<Output>,
}

impl Sessions {
    /// No session yet.
    pub(super) fn of(state: &State) -> Self {
        Self {
            open: BTreeMap::new(),
            asking: Vec::new(),
            drafted: Vec::new(),
            ended: Vec::new(),
            rates: BTreeMap::new(),
            shared: Shared::of(state),
        }
    }

    /// Keeps the wish to open a session, or to take up an old one, for the next draft.
    pub(super) fn open(
        &mut self,
        state: &State,
        (node, ticket): (NodeId, Ticket),
        (description, addr, session): (NodeDescription, String, Option<SessionId>),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if state.nodes.get(node).is_none() {
            return Err(Refusal::new(RefusalKind::Unknown, "node not found"));
        }
        let session = session.filter(|session| self.check(node, *session).is_ok());
        if session.is_none() {
            self.rate(node, now)?;
        }
        self.asking.push(Opening { node, ticket, description, addr, session });
        Ok(())
    }

    /// Ok if the node speaks in the session it has.
    pub(super) fn check(&self, node: NodeId, session: SessionId) -> Result<(), Refusal> {
        let known = self.open.get(&node).ok_or_else(not_registered)?;
        if known.id == session { Ok(()) } else { Err(session_invalid()) }
    }

    /// The node wants to be told its work from now on.
    pub(super) fn listens(&mut self, node: NodeId, told: Told) {
        if let Some(session) = self.open.get_mut(&node) {
            session.told = Some(told);
        }
    }

    /// What a node was told that listens.
    pub(super) fn listener(&mut self, node: NodeId) -> Option<(SessionId, &mut Told)> {
        let session = self.open.get_mut(&node)?;
        let id = session.id;
        session.told.as_mut().map(|told| (id, told))
    }

    /// The conversation broke. It can be taken up again until the node is overdue.
    pub(super) fn close(&mut self, node: NodeId, session: SessionId) {
        if let Some(known) = self.open.get_mut(&node).filter(|known| known.id == session) {
            known.told = None;
            known.connected = false;
        }
    }

    /// The node is in no book any more, and its conversation broke.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.open.remove(&node);
        self.rates.remove(&node);
    }

    /// The node has no session any more; it is told after the next commit.
    pub(super) fn end(&mut self, node: NodeId) {
        let ended = self.open.remove(&node).filter(|session| session.connected);
        self.ended.extend(ended.map(|session| (node, session.id)));
        self.rates.remove(&node);
    }

    pub(super) fn wants_draft(&self) -> bool {
        !self.asking.is_empty()
    }

    /// Writes down that nodes are ready, and what they say of themselves.
    pub(super) fn draft(&mut self, draft: &mut Draft, cx: &mut Cx<'_>) {
        let mut asking = std::mem::take(&mut self.asking).into_iter();
        while !draft.is_full() {
            let Some(mut opening) = asking.next() else { break };
            if let Some(node) = draft.nodes.get(opening.node) {
                let status = NodeStatus {
                    state: NodeState::Ready,
                    message: String::new(),
                    addr: opening.addr.clone(),
                };
                let described = node.description.as_ref() == Some(&opening.description);
                if node.status != status || !described {
                    let mut node = Node::clone(node);
                    node.status = status;
                    node.description = Some(opening.description.clone());
                    draft.update(node);
                }
            }
            opening.session.get_or_insert_with(|| SessionId::random(cx.chance));
            self.drafted.push(opening);
        }
        self.asking = asking.collect();
    }

    /// Takes in what all nodes are told alike. True if it differs from what they were told.
    pub(super) fn renew(&mut self, state: &State, changes: &[Change]) -> bool {
        changes.iter().any(|change| self.shared.may_change(change)) && self.shared.renew(state)
    }

    /// The sessions whose nodes are ready in the book now.
    pub(super) fn opened(&mut self, state: &State) -> Vec<Opened> {
        let drafted = std::mem::take(&mut self.drafted);
        drafted.into_iter().map(|opening| self.begin(state, opening)).collect()
    }

    /// What nodes are to be told about themselves and, if `all` of them are concerned, their managers; and about
    /// sessions that ended. Those that were greeted with this commit know already.
    pub(super) fn news(
        &mut self,
        state: &State,
        (changes, all): (&[Change], bool),
        greeted: &BTreeSet<NodeId>,
    ) -> Vec<Output> {
        let end = |(node, session)| Output::Tell(node, session, Tell::End(session_invalid()));
        let again =
            |(node, session): &(NodeId, SessionId)| self.open.get(node).is_some_and(|it| it.id == *session);
        let ended = self.ended.drain(..).filter(|ended| !again(ended));
        let mut wishes: Vec<Output> = ended.map(end).collect();
        let changed: BTreeSet<NodeId> = changes
            .iter()
            .filter_map(|change| match change.object() {
                Object::Node(node) => Some(node.id),
                _ => None,
            })
            .collect();
        let concerned = |node: &NodeId| (all || changed.contains(node)) && !greeted.contains(node);
        if all || !changed.is_empty() {
            let told = self.open.iter().filter(|(node, session)| session.connected && concerned(node));
            wishes.extend(told.filter_map(|(node, session)| self.message(state, *node, session)));
        }
        wishes
    }

    fn begin(&mut self, state: &State, opening: Opening) -> Opened {
        let Opening { node, ticket, description: _, addr: _, session } = opening;
        let id = session.expect("a session has its id since it was drafted");
        let mut wishes = Vec::new();
        let told = match self.open.remove(&node) {
            Some(old) if old.id == id => old.told,
            Some(old) if old.connected => {
                wishes.push(Output::Tell(node, old.id, Tell::End(session_invalid())));
                None
            }
            _ => None,
        };
        let session = Session { id, told, connected: true };
        wishes.push(Output::Answer(ticket, Ok(Answer::Session(id))));
        wishes.extend(self.message(state, node, &session));
        self.open.insert(node, session);
        Opened { node, wishes }
    }

    fn message(&self, state: &State, node: NodeId, session: &Session) -> Option<Output> {
        let Shared { managers, keys, root_ca } = &self.shared;
        let message = SessionMessage {
            session: session.id,
            node: Arc::clone(state.nodes.get(node)?),
            managers: managers.clone(),
            network_bootstrap_keys: keys.clone(),
            root_ca: root_ca.clone(),
        };
        Some(Output::Tell(node, session.id, Tell::Session(Box::new(message))))
    }

    /// Refuses a node that comes too often.
    fn rate(&mut self, node: NodeId, now: Timestamp) -> Result<(), Refusal> {
        let rate = self.rates.entry(node).or_insert(Rate { since: now, count: 0 });
        if now.since(rate.since) >= RATE_WINDOW {
            *rate = Rate { since: now, count: 0 };
        }
        rate.count += 1;
        if rate.count <= RATE_MAX {
            return Ok(());
        }
        let message = format!("node {node} exceeded rate limit count of registrations");
        Err(Refusal::new(RefusalKind::Unavailable, message))
    }
}

impl Shared {
    fn of(state: &State) -> Self {
        let managers = state.nodes.iter().filter_map(|node| {
            let status = node.manager_status.as_ref().filter(|status| !status.addr.is_empty())?;
            Some(Peer { node_id: node.id, addr: status.addr.clone() })
        });
        let managers = managers.collect();
        let Some(cluster) = state.cluster() else { return Self { managers, ..Self::default() } };
        let root_ca = cluster.root_ca.ca_cert.clone();
        Self { managers, keys: cluster.network_bootstrap_keys.clone(), root_ca }
    }

    /// True if the change is of a kind that can show in here.
    fn may_change(&self, change: &Change) -> bool {
        match change.object() {
            Object::Cluster(_) => true,
            Object::Node(node) => {
                node.manager_status.is_some() || self.managers.iter().any(|peer| peer.node_id == node.id)
            }
            _ => false,
        }
    }

    /// Reads everything anew; true if it differs.
    fn renew(&mut self, state: &State) -> bool {
        let new = Self::of(state);
        let differs = new != *self;
        *self = new;
        differs
    }
}
