//! A leader's desk: who waits for which answer, and by which way each node is told its work.
//!
//! In: questions, and the leader's answers. Out: replies with their routes. When leadership is lost, everyone who
//! waits is told.

use std::collections::BTreeMap;

use control::leader::{Answer, Input, SessionEvent, Tell, Ticket};
use model::{NodeId, Refusal, SessionId};

use crate::mail::{Reply, Route, not_now, ticket_of};

/// A reply, and the way it takes.
pub type Posted = (Route, Reply);

/// What waits while a manager leads.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: BTreeMap<Ticket, (Route, Option<NodeId>)>,
    rooms: BTreeMap<(NodeId, SessionId), Route>,
}

impl Desk {
    /// Takes in what a node says.
    pub fn session(&mut self, route: Route, node: NodeId, event: SessionEvent) -> Input {
        match (ticket_of(&event), &event) {
            (Ok(ticket), SessionEvent::Open { .. }) => drop(self.waiting.insert(ticket, (route, Some(node)))),
            (Ok(ticket), _) => drop(self.waiting.insert(ticket, (route, None))),
            (Err(session), SessionEvent::Listen { .. }) => drop(self.rooms.insert((node, session), route)),
            (Err(session), _) => drop(self.rooms.remove(&(node, session))),
        }
        Input::Session(node, event)
    }

    /// Takes in that somebody waits.
    pub fn wait(&mut self, route: Route, ticket: Ticket) {
        self.waiting.insert(ticket, (route, None));
    }

    /// The leader has an answer.
    pub fn answer(&mut self, ticket: Ticket, answer: Result<Answer, Refusal>) -> Option<Posted> {
        let (route, opener) = self.waiting.remove(&ticket)?;
        if let (Some(node), Ok(Answer::Session(session))) = (opener, &answer) {
            self.rooms.insert((node, *session), route);
        }
        Some((route, Reply::Answered(ticket, answer)))
    }

    /// The leader says something in a session.
    pub fn tell(&mut self, node: NodeId, session: SessionId, tell: Tell) -> Option<Posted> {
        let room = (node, session);
        let route = match &tell {
            Tell::End(_) => self.rooms.remove(&room)?,
            Tell::Session(_) | Tell::Assignments(_) => *self.rooms.get(&room)?,
        };
        Some((route, Reply::Told(session, tell)))
    }

    /// Leadership is lost: what everyone is told who waits.
    pub fn close(&mut self) -> Vec<Posted> {
        let Self { waiting, rooms } = std::mem::take(self);
        let lost = "the leader was lost before it could answer";
        let answers = waiting
            .into_iter()
            .map(|(ticket, (route, _))| (route, Reply::Answered(ticket, Err(not_now(lost)))));
        let ends = rooms.into_iter().map(|((_, session), route)| (route, Reply::Broken(session)));
        answers.chain(ends).collect()
    }
}
