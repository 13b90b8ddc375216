//! Speaks with the nodes: hears that they live and how their tasks are, and tells them their work.
//!
//! In: what nodes say, at any time; what was committed. Out: answers, messages, and drafted statuses of nodes
//! and tasks. What nodes say between two drafts is gathered here, the latest status of each task only; so
//! hearing never waits. Sessions and deadlines are patience, not knowledge: a new leader begins with fresh ones.
//! It makes and moves no tasks.

mod assignments;
mod heartbeats;
mod sessions;
mod statuses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::{Cx, NodeId, Refusal, RefusalKind, SessionId, Timestamp};
use store::{Change, Draft, Object, State};

use super::input::{Output, SessionEvent, Tell, Ticket};
use super::request::Answer;
use assignments::Told;
use heartbeats::Heartbeats;
use sessions::Sessions;
use statuses::Statuses;

/// What the leader knows of its conversations with nodes.
#[derive(Debug)]
pub struct Dispatcher {
    me: Option<NodeId>,
    sessions: Sessions,
    heartbeats: Heartbeats,
    statuses: Statuses,
}

impl Dispatcher {
    /// A dispatcher without any session. All nodes have time to find it; `me` is the leader's own node.
    pub fn of(state: &State, me: Option<NodeId>, now: Timestamp) -> Self {
        Self {
            me,
            sessions: Sessions::of(state),
            heartbeats: Heartbeats::of(state, now),
            statuses: Statuses::default(),
        }
    }

    /// Takes in what a node says. What needs the book changed is kept for the next draft.
    pub fn hear(&mut self, state: &State, node: NodeId, event: SessionEvent, cx: &mut Cx<'_>) -> Vec<Output> {
        match event {
            SessionEvent::Open { ticket, description, session, addr } => {
                let opened = self.sessions.open(state, (node, ticket), (*description, addr, session), cx.now);
                opened.err().map(|refusal| Output::Answer(ticket, Err(refusal))).into_iter().collect()
            }
            SessionEvent::Listen { session } => vec![self.listen(state, node, session)],
            SessionEvent::Heartbeat { ticket, session } => {
                let heard = self
                    .check(state, node, session)
                    .map(|()| Answer::Heartbeat(self.heartbeats.beat(state, node, cx)));
                vec![Output::Answer(ticket, heard)]
            }
            SessionEvent::Statuses { ticket, session, updates } => {
                let checked = self.check(state, node, session);
                let heard = checked.and_then(|()| self.statuses.hear(state, node, ticket, updates));
                heard.err().map(|refusal| Output::Answer(ticket, Err(refusal))).into_iter().collect()
            }
            SessionEvent::Volumes { ticket, session, unpublished } => {
                match self.check(state, node, session) {
                    Ok(()) => self.statuses.hear_volumes(node, ticket, unpublished),
                    Err(refusal) => return vec![Output::Answer(ticket, Err(refusal))],
                }
                Vec::new()
            }
            SessionEvent::Closed { session } => {
                match state.nodes.get(node) {
                    Some(_) => self.sessions.close(node, session),
                    None => self.sessions.forget(node),
                }
                Vec::new()
            }
        }
    }

    /// True if there is something for [`Self::draft`] to write down.
    pub fn wants_draft(&self, now: Timestamp) -> bool {
        self.sessions.wants_draft() || self.statuses.wants_draft() || self.heartbeats.wants_draft(now)
    }

    /// Writes down what nodes said since the last draft, and which of them were not heard in time.
    pub fn draft(&mut self, draft: &mut Draft, cx: &mut Cx<'_>) {
        for node in self.heartbeats.draft(draft, cx.now) {
            self.sessions.end(node);
        }
        self.sessions.draft(draft, cx);
        self.statuses.draft(draft, self.me);
    }

    /// Answers what is in the book now, and tells each node what changed for it. To be called after each commit
    /// with what was committed, and after a round that drafted nothing.
    pub fn committed(&mut self, state: &State, changes: &[Change], now: Timestamp) -> Vec<Output> {
        let mut wishes = self.statuses.answers();
        let all = self.sessions.renew(state, changes);
        let mut greeted = BTreeSet::new();
        for opened in self.sessions.opened(state) {
            self.heartbeats.opened(state, opened.node, now);
            greeted.insert(opened.node);
            wishes.extend(opened.wishes);
        }
        for change in changes {
            if let Change::Remove(Object::Node(node)) = change {
                self.heartbeats.forget(node.id);
                wishes.extend(self.dismiss(node.id));
            }
        }
        wishes.extend(self.sessions.news(state, (changes, all), &greeted));
        wishes.extend(self.differences(state, changes));
        wishes
    }

    /// When a node will be overdue, at the earliest.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.heartbeats.wake_at()
    }

    /// Tells a node that was removed to end all its work. Its session ends when it next says something, so that it
    /// can hear this first.
    fn dismiss(&mut self, node: NodeId) -> Option<Output> {
        let Some((session, told)) = self.sessions.listener(node) else {
            self.sessions.end(node);
            return None;
        };
        Some(Output::Tell(node, session, Tell::Assignments(told.end())))
    }

    /// Ok if the node is in the book and speaks in the session it has.
    fn check(&self, state: &State, node: NodeId, session: SessionId) -> Result<(), Refusal> {
        state.nodes.get(node).ok_or_else(not_registered)?;
        self.sessions.check(node, session)
    }

    fn listen(&mut self, state: &State, node: NodeId, session: SessionId) -> Output {
        match self.check(state, node, session) {
            Ok(()) => {
                let (told, all) = Told::begin(state, node);
                self.sessions.listens(node, told);
                Output::Tell(node, session, Tell::Assignments(all))
            }
            Err(refusal) => Output::Tell(node, session, Tell::End(refusal)),
        }
    }

    /// For each node that listens, what changed in its work.
    fn differences(&mut self, state: &State, changes: &[Change]) -> Vec<Output> {
        let mut by_node: BTreeMap<NodeId, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            let nodes: BTreeSet<NodeId> = match change.object() {
                Object::Task(task) => task.node_id.into_iter().collect(),
                Object::Volume(volume) => volume.publish_status.iter().map(|status| status.node_id).collect(),
                _ => BTreeSet::new(),
            };
            for node in nodes {
                by_node.entry(node).or_default().push(change);
            }
        }
        let mut wishes = Vec::new();
        by_node.retain(|node, _| state.nodes.get(*node).is_some());
        for (node, changes) in by_node {
            let Some((session, told)) = self.sessions.listener(node) else { continue };
            let difference = told.difference(state, node, &changes);
            wishes.extend(difference.map(|all| Output::Tell(node, session, Tell::Assignments(all))));
        }
        wishes
    }
}

/// What a node is told that speaks in a session it does not have.
fn session_invalid() -> Refusal {
    Refusal::invalid("session invalid")
}

/// What a node is told that has no session.
fn not_registered() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "node not registered")
}

/// An answer that says yes, to whoever waits for it.
fn yes(ticket: Ticket) -> Output {
    Output::Answer(ticket, Ok(Answer::Done))
}
