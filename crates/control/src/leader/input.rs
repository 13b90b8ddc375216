//! What the leader may hear, and what it may wish for.

use std::sync::Arc;

use model::cluster::{EncryptionKey, JoinTokens};
use model::node::{ManagerStatus, NodeDescription, NodeRole, NodeTlsInfo};
use model::volume::VolumeAssignment;
use model::{
    ClusterId, Config, ConfigId, Duration, Node, NodeId, Refusal, Secret, SecretId, SessionId, Task, TaskId,
    TaskStatus, VolumeId,
};
use store::{Change, State};

use super::request::{Answer, Request};

/// Names a question, so that its answer finds the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the leader may hear.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants something changed.
    Ask(Ticket, Request),
    /// A node speaks.
    Session(NodeId, SessionEvent),
    /// A certificate was signed, PEM chain, or could not be, and why.
    Signed(NodeId, Result<Vec<u8>, String>),
    /// What is to be known of a root that shall follow; drawn anew for each [`Output::Study`].
    Studied(Box<Successor>),
    /// Who is in the Raft group now, and how they are; told when it begins and whenever it differs.
    Members(Vec<Member>),
    /// The log moved on: this is the book now. It holds the proposal in flight, if one was and is committed.
    Committed(Box<State>),
    /// The time it asked for has come.
    Wake,
    /// Several of these, in this order: all are heard before anything is drafted, so that one proposal serves them.
    Together(Vec<Input>),
}

/// What the leader may wish for.
#[derive(Clone, Debug)]
pub enum Output {
    /// Order these changes. At most one proposal is in flight at a time.
    Propose(Vec<Change>),
    /// The question is answered; what it changed is committed.
    Answer(Ticket, Result<Answer, Refusal>),
    /// Say this to the node, in this session.
    Tell(NodeId, SessionId, Tell),
    /// Sign a certificate for this node.
    Sign(NodeId, SignRequest),
    /// Say with [`Input::Studied`] what is to be known of this root, PEM. Wished again if it is not said.
    Study(Vec<u8>),
    /// Take this node out of the Raft group. Wished again until [`Input::Members`] shows that it is done.
    Dismiss(NodeId),
    /// Let this node lead instead: the one that does shall leave the Raft group. Wished again while it leads.
    HandOver(NodeId),
}

/// What is to be known of a root that shall follow, by those who read no certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The root, PEM, as it was asked about.
    pub root: Vec<u8>,
    /// What a node says of itself whose certificate is of this root; the trusted roots do not count.
    pub issuer: NodeTlsInfo,
    /// `sha256:` and the digest of the root in hexadecimal.
    pub hash: String,
    /// Fresh words to join with, which name this root.
    pub tokens: JoinTokens,
}

/// One member of the Raft group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which node.
    pub node_id: NodeId,
    /// Its place in the group.
    pub status: ManagerStatus,
}

/// What a node says.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// It opens a session, or takes up an old one; answered with [`Answer::Session`], then told [`Tell::Session`].
    Open {
        /// Whom to answer.
        ticket: Ticket,
        /// What it says of itself.
        description: Box<NodeDescription>,
        /// The session it had, if any.
        session: Option<SessionId>,
        /// Its address as the manager sees it, without port.
        addr: String,
    },
    /// It wants its assignments; they are told with [`Tell::Assignments`], all first, then differences.
    Listen {
        /// Its session; a wrong one is told [`Tell::End`].
        session: SessionId,
    },
    /// It is alive; answered with [`Answer::Heartbeat`].
    Heartbeat {
        /// Whom to answer.
        ticket: Ticket,
        /// Its session.
        session: SessionId,
    },
    /// Its tasks have come further; answered with [`Answer::Done`] once committed.
    Statuses {
        /// Whom to answer.
        ticket: Ticket,
        /// Its session.
        session: SessionId,
        /// The latest status of each task.
        updates: Vec<(TaskId, TaskStatus)>,
    },
    /// It has let volumes go; answered with [`Answer::Done`].
    Volumes {
        /// Whom to answer.
        ticket: Ticket,
        /// Its session.
        session: SessionId,
        /// The volumes that are no longer on it.
        unpublished: Vec<VolumeId>,
    },
    /// Its conversation broke. The node stays ready until its heartbeats are missed.
    Closed {
        /// The session that broke.
        session: SessionId,
    },
}

/// What a node is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Tell {
    /// Itself and its managers, whenever they change.
    Session(Box<SessionMessage>),
    /// Its work.
    Assignments(Assignments),
    /// That its session is over, and why.
    End(Refusal),
}

/// What a node is told about itself and its managers; always whole.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionMessage {
    /// Its session.
    pub session: SessionId,
    /// Itself.
    pub node: Arc<Node>,
    /// The managers it may talk to, all of weight 10.
    pub managers: Vec<Peer>,
    /// Keys of the data plane.
    pub network_bootstrap_keys: Vec<EncryptionKey>,
    /// The trusted roots, PEM.
    pub root_ca: Vec<u8>,
}

/// A manager and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Which manager.
    pub node_id: NodeId,
    /// Its address with port.
    pub addr: String,
}

/// A node's work: whole, or as the difference to what it was told before.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignments {
    /// Whether `changes` is the whole.
    pub complete: bool,
    /// The number of the message this builds upon; 0 for a whole.
    pub applies_to: u64,
    /// The number of this message, from 1 in each session.
    pub results_in: u64,
    /// In the order: secrets and configs, then tasks, then volumes; removals last.
    pub changes: Vec<AssignmentChange>,
}

/// One difference in a node's work.
#[derive(Clone, Debug, PartialEq)]
pub enum AssignmentChange {
    /// New, or changed.
    Update(Assignment),
    /// No longer the node's business.
    RemoveTask(TaskId),
    /// No task there needs it any more.
    RemoveSecret(SecretId),
    /// No task there needs it any more.
    RemoveConfig(ConfigId),
    /// No task there needs it any more.
    RemoveVolume(VolumeId),
}

/// One piece of a node's work.
#[derive(Clone, Debug, PartialEq)]
pub enum Assignment {
    /// A task to run.
    Task(Arc<Task>),
    /// A secret that a task needs.
    Secret(Arc<Secret>),
    /// A config that a task needs.
    Config(Arc<Config>),
    /// A volume that a task needs.
    Volume(Box<VolumeAssignment>),
}

/// A certificate to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// The request, PEM.
    pub csr: Vec<u8>,
    /// For which role.
    pub role: NodeRole,
    /// The common name.
    pub node_id: NodeId,
    /// The organization.
    pub cluster_id: ClusterId,
    /// How long it shall be valid.
    pub expiry: Duration,
}
