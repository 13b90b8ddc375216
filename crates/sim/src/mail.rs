//! What machines say to each other, apart from what lies within it.
//!
//! A question goes to a manager, which hands it on to the leader if it does not lead itself; the answer takes the
//! same way back.

use control::leader::{Answer, Request, SessionEvent, Tell, Ticket};
use model::{Config, NodeId, Refusal, RefusalKind, SessionId};
use raft::ReplicaId;
use std::sync::Arc;

use crate::swarm::NodeNumber;

/// What arrives at a machine.
#[derive(Clone, Debug)]
pub enum Mail {
    /// From one replica to another.
    Raft(raft::Message),
    /// A question on its way to the leader.
    Ask(Route, Question),
    /// An answer on its way back.
    Reply(Route, Reply),
    /// This replica was removed from the group.
    Removed(ReplicaId),
}

/// Who asked, and by way of which manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Who asked.
    pub asker: Asker,
    /// The manager that handed it on, if one did.
    pub relay: Option<NodeNumber>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A machine of the swarm.
    Machine(NodeNumber),
    /// Somebody outside, who reaches every manager.
    Outside,
}

/// What managers are asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// A node speaks in its session, or opens one.
    Session(NodeId, SessionEvent),
    /// Somebody wants something changed.
    Change(Ticket, Request),
    /// Somebody wants to see a config as it is now. Any manager answers.
    Look(Ticket, String),
    /// This machine wants to be in the group of managers.
    Join(Ticket, NodeNumber),
}

/// What managers answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To a question about a change or a session.
    Answered(Ticket, Result<Answer, Refusal>),
    /// Said in a session.
    Told(SessionId, Tell),
    /// The session's conversation broke.
    Broken(SessionId),
    /// The config, if there is one.
    Seen(Ticket, Result<Option<Arc<Config>>, Refusal>),
    /// The machine's replica in the group.
    Joined(Ticket, Result<ReplicaId, Refusal>),
}

impl Question {
    /// The answer that nothing can be done about it here.
    pub fn refused(&self, why: Refusal) -> Reply {
        match self {
            Self::Change(ticket, _) => Reply::Answered(*ticket, Err(why)),
            Self::Look(ticket, _) => Reply::Seen(*ticket, Err(why)),
            Self::Join(ticket, _) => Reply::Joined(*ticket, Err(why)),
            Self::Session(_, event) => match ticket_of(event) {
                Ok(ticket) => Reply::Answered(ticket, Err(why)),
                Err(session) => Reply::Broken(session),
            },
        }
    }
}

/// The ticket on which the event is answered; or its session, in which it is.
pub fn ticket_of(event: &SessionEvent) -> Result<Ticket, SessionId> {
    match event {
        SessionEvent::Open { ticket, .. }
        | SessionEvent::Heartbeat { ticket, .. }
        | SessionEvent::Statuses { ticket, .. }
        | SessionEvent::Volumes { ticket, .. } => Ok(*ticket),
        SessionEvent::Listen { session } | SessionEvent::Closed { session } => Err(*session),
    }
}

/// A no that means: perhaps later, perhaps elsewhere.
pub fn not_now(message: &str) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, message)
}
