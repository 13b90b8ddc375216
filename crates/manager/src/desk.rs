//! The leader's desk: which questions wait for an answer, and where each node is told its work.
//!
//! In: questions of [`crate::ask::Ask`], and the leader's answers. Out: the leader's inputs, and the answers on
//! their way to whoever asked. When leadership is lost, the desk is dropped, and with it all that waits.

use std::collections::BTreeMap;

use control::leader::{Answer, Input, SessionEvent, Tell, Ticket};
use model::{NodeId, Refusal, SessionId};
use tokio::sync::mpsc;

use crate::ask::{Listening, Opening, Question, Reply};

/// What waits while a manager leads.
#[derive(Debug, Default)]
pub struct Desk {
    last: u64,
    waiting: BTreeMap<Ticket, Waiting>,
    rooms: BTreeMap<(NodeId, SessionId), Room>,
}

/// Who waits for an answer.
#[derive(Debug)]
enum Waiting {
    Asker(Reply),
    /// A node whose session is told of itself once it is open.
    Opener(NodeId, mpsc::Sender<Tell>, Reply),
}

/// Where a node is told things in one session.
#[derive(Debug)]
struct Room {
    session: mpsc::Sender<Tell>,
    assignments: Option<mpsc::Sender<Tell>>,
}

impl Desk {
    /// How many questions wait for their answers.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a question in. It comes back as an input for the leader.
    pub fn take(&mut self, question: Question) -> Input {
        match question {
            Question::Request(request, reply) => Input::Ask(self.wait(Waiting::Asker(reply)), request),
            Question::Open(opening, reply) => self.open(*opening, reply),
            Question::Listen(listening) => self.listen(listening),
            Question::Heartbeat(node, session, reply) => {
                let ticket = self.wait(Waiting::Asker(reply));
                Input::Session(node, SessionEvent::Heartbeat { ticket, session })
            }
            Question::Statuses(node, session, updates, reply) => {
                let ticket = self.wait(Waiting::Asker(reply));
                Input::Session(node, SessionEvent::Statuses { ticket, session, updates })
            }
            Question::Volumes(node, session, unpublished, reply) => {
                let ticket = self.wait(Waiting::Asker(reply));
                Input::Session(node, SessionEvent::Volumes { ticket, session, unpublished })
            }
            Question::Closed(node, session) => {
                self.rooms.remove(&(node, session));
                Input::Session(node, SessionEvent::Closed { session })
            }
        }
    }

    /// Hands an answer to whoever waits for it.
    pub fn answer(&mut self, ticket: Ticket, answer: Result<Answer, Refusal>) {
        let reply = match self.waiting.remove(&ticket) {
            Some(Waiting::Asker(reply)) => reply,
            Some(Waiting::Opener(node, tells, reply)) => {
                if let Ok(Answer::Session(session)) = &answer {
                    self.rooms.insert((node, *session), Room { session: tells, assignments: None });
                }
                reply
            }
            None => return,
        };
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    /// Tells a node something. One that does not listen for too long is let go, and comes back.
    pub fn tell(&mut self, node: NodeId, session: SessionId, tell: Tell) {
        let place = (node, session);
        let Some(room) = self.rooms.get(&place) else { return };
        let heard = match (&tell, &room.assignments) {
            (Tell::Session(_), _) => room.session.try_send(tell).is_ok(),
            (Tell::Assignments(_), Some(assignments)) => assignments.try_send(tell).is_ok(),
            (Tell::Assignments(_), None) => true,
            (Tell::End(_), assignments) => {
                if let Some(assignments) = assignments {
                    let _ = assignments.try_send(tell.clone());
                }
                let _ = room.session.try_send(tell);
                false
            }
        };
        if !heard {
            self.rooms.remove(&place);
        }
    }

    fn open(&mut self, opening: Opening, reply: Reply) -> Input {
        let Opening { node, description, session, addr, tells } = opening;
        let ticket = self.wait(Waiting::Opener(node, tells, reply));
        let description = Box::new(description);
        Input::Session(node, SessionEvent::Open { ticket, description, session, addr })
    }

    /// A session that is not open here is answered by the leader all the same: with its end.
    fn listen(&mut self, listening: Listening) -> Input {
        let Listening { node, session, tells } = listening;
        let room = self.rooms.entry((node, session));
        let room = room.or_insert_with(|| Room { session: tells.clone(), assignments: None });
        room.assignments = Some(tells);
        Input::Session(node, SessionEvent::Listen { session })
    }

    fn wait(&mut self, waiting: Waiting) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.waiting.insert(ticket, waiting);
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Chance;
    use model::node::NodeDescription;
    use tokio::sync::oneshot;

    fn opening(node: NodeId) -> (Question, mpsc::Receiver<Tell>, oneshot::Receiver<Result<Answer, Refusal>>) {
        let (tells, told) = mpsc::channel(1);
        let (reply, answer) = oneshot::channel();
        let description = NodeDescription::default();
        let opening = Opening { node, description, session: None, addr: String::new(), tells };
        (Question::Open(Box::new(opening), reply), told, answer)
    }

    fn ticket(input: &Input) -> Ticket {
        match input {
            Input::Session(_, SessionEvent::Open { ticket, .. }) => *ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_node_is_told_things_once_its_session_is_open() {
        let chance = &mut Chance::from_number(1);
        let (node, session) = (NodeId::random(chance), SessionId::random(chance));
        let mut desk = Desk::default();
        let (question, mut told, mut answer) = opening(node);
        let ticket = ticket(&desk.take(question));

        desk.tell(node, session, Tell::End(Refusal::no_leader()));
        assert!(told.try_recv().is_err(), "nobody has this session yet");
        desk.answer(ticket, Ok(Answer::Session(session)));
        assert!(answer.try_recv().is_ok());
        desk.tell(node, session, Tell::End(Refusal::no_leader()));
        assert!(matches!(told.try_recv(), Ok(Tell::End(_))));
        assert!(told.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn a_refused_session_has_no_room() {
        let node = NodeId::random(&mut Chance::from_number(2));
        let mut desk = Desk::default();
        let (question, mut told, mut answer) = opening(node);
        let ticket = ticket(&desk.take(question));
        desk.answer(ticket, Err(Refusal::no_leader()));
        assert!(matches!(answer.try_recv(), Ok(Err(_))));
        assert!(told.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
    }
}
