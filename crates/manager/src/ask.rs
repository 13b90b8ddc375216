//! Puts a question to whoever leads, and waits for the answer.
//!
//! In: what users and nodes want. Out: what the leader answers, within [`REQUEST_TIMEOUT`]; or that there is none, so
//! that the asker may try again elsewhere or later. Only this manager's leader is asked. The other end of this door
//! is [`crate::desk::Desk`].

use control::leader::{Answer, Request, Tell};
use host::clock;
use model::limits::REQUEST_TIMEOUT;
use model::node::NodeDescription;
use model::{Duration, NodeId, Refusal, RefusalKind, SessionId, TaskId, TaskStatus, VolumeId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{timeout, timeout_at};

use crate::log::writer::Room;
use crate::replica::Leadership;

/// Where the answer to one question goes.
pub type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// Questions that wait for the leader; whoever brings one more waits too.
const QUESTIONS_MAX: usize = model::limits::REQUESTS_WAITING_MAX;

/// What can be put to the leader.
#[derive(Debug)]
pub enum Question {
    /// Somebody wants something changed.
    Request(Request, Reply),
    /// A node opens a session, or takes up an old one.
    Open(Box<Opening>, Reply),
    /// A node wants to be told its assignments.
    Listen(Listening),
    /// A node lives.
    Heartbeat(NodeId, SessionId, Reply),
    /// Tasks of a node have come further.
    Statuses(NodeId, SessionId, Vec<(TaskId, TaskStatus)>, Reply),
    /// A node has let volumes go.
    Volumes(NodeId, SessionId, Vec<VolumeId>, Reply),
    /// A node's conversation broke.
    Closed(NodeId, SessionId),
}

impl Question {
    /// Whether whoever asked has gone, so that the answer would be for nobody.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Request(_, reply)
            | Self::Open(_, reply)
            | Self::Heartbeat(_, _, reply)
            | Self::Statuses(_, _, _, reply)
            | Self::Volumes(_, _, _, reply) => reply.is_closed(),
            Self::Listen(listening) => listening.tells.is_closed(),
            Self::Closed(..) => false,
        }
    }
}

/// How a node opens a session.
#[derive(Debug)]
pub struct Opening {
    /// Which node.
    pub node: NodeId,
    /// What it says of itself.
    pub description: NodeDescription,
    /// The session it had, if any.
    pub session: Option<SessionId>,
    /// Its address as this manager sees it, without port.
    pub addr: String,
    /// Where it is told of itself and the managers. It is let go if it does not listen for too long.
    pub tells: mpsc::Sender<Tell>,
}

/// How a node wants to be told its assignments.
#[derive(Debug)]
pub struct Listening {
    /// Which node.
    pub node: NodeId,
    /// Its session; a wrong one is told [`Tell::End`].
    pub session: SessionId,
    /// Where it is told. It is let go if it does not listen for too long.
    pub tells: mpsc::Sender<Tell>,
}

/// The way to the leader. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Ask {
    questions: mpsc::Sender<Question>,
    leadership: watch::Receiver<Leadership>,
    room: watch::Receiver<Room>,
    /// How long nobody may lead before it is said so.
    patience: Duration,
}

impl Ask {
    /// A way to a leader who always leads, and the end where its questions come out.
    pub fn new() -> (Self, mpsc::Receiver<Question>) {
        let leadership = watch::Sender::new(Leadership::Here).subscribe();
        Self::led(leadership, watch::Sender::default().subscribe(), Duration::ZERO)
    }

    /// A way to a leader while it leads, and the end where its questions come out. Nobody may lead for as long as
    /// `patience` before it is said so.
    pub(crate) fn led(
        leadership: watch::Receiver<Leadership>,
        room: watch::Receiver<Room>,
        patience: Duration,
    ) -> (Self, mpsc::Receiver<Question>) {
        let (questions, receiver) = mpsc::channel(QUESTIONS_MAX);
        (Self { questions, leadership, room, patience }, receiver)
    }

    /// Who leads, now and whenever it changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Asks for a change of the swarm. The answer comes when it is committed.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn request(&self, request: Request) -> Result<Answer, Refusal> {
        let mut room = self.room();
        tokio::select! {
            biased;
            Ok(_) = room.wait_for(|room| *room == Room::None) => Err(disk_full()),
            answer = self.put(|reply| Question::Request(request, reply)) => answer,
        }
    }

    /// Opens a node's session.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn open(&self, opening: Opening) -> Result<SessionId, Refusal> {
        match self.put(|reply| Question::Open(Box::new(opening), reply)).await? {
            Answer::Session(session) => Ok(session),
            other => unreachable!("opening a session was answered with {other:?}"),
        }
    }

    /// Wants a node to be told its assignments.
    ///
    /// # Errors
    /// If there is no leader.
    pub async fn listen(&self, listening: Listening) -> Result<(), Refusal> {
        self.find_leader().await?;
        self.questions.send(Question::Listen(listening)).await.map_err(|_| Refusal::no_leader())
    }

    /// Says that a node lives; the answer is when it shall say so again.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn heartbeat(&self, node: NodeId, session: SessionId) -> Result<Duration, Refusal> {
        match self.put(|reply| Question::Heartbeat(node, session, reply)).await? {
            Answer::Heartbeat(period) => Ok(period),
            other => unreachable!("a heartbeat was answered with {other:?}"),
        }
    }

    /// Tells how far a node's tasks are. Ends when it is committed.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn statuses(
        &self,
        node: NodeId,
        session: SessionId,
        updates: Vec<(TaskId, TaskStatus)>,
    ) -> Result<(), Refusal> {
        self.put(|reply| Question::Statuses(node, session, updates, reply)).await.map(|_| ())
    }

    /// Tells which volumes a node has let go. Ends when it is committed.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn volumes(
        &self,
        node: NodeId,
        session: SessionId,
        unpublished: Vec<VolumeId>,
    ) -> Result<(), Refusal> {
        self.put(|reply| Question::Volumes(node, session, unpublished, reply)).await.map(|_| ())
    }

    /// Tells that a node's conversation broke. Never waits: if the leader is that busy, heartbeats tell it too.
    pub fn closed(&self, node: NodeId, session: SessionId) {
        let _ = self.questions.try_send(Question::Closed(node, session));
    }

    /// Whether the manager's disk has room, now and whenever that changes.
    pub(crate) fn room(&self) -> watch::Receiver<Room> {
        self.room.clone()
    }

    async fn put(&self, question: impl FnOnce(Reply) -> Question) -> Result<Answer, Refusal> {
        let answered = async {
            self.find_leader().await?;
            let (reply, answer) = oneshot::channel();
            self.questions.send(question(reply)).await.map_err(|_| Refusal::no_leader())?;
            // A leader that falls drops its questions: what was asked may or may not have been done.
            answer.await.unwrap_or_else(|_| Err(interrupted()))
        };
        timeout(REQUEST_TIMEOUT, answered).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Returns when this manager leads. A moment without a leader is normal; more is not.
    async fn find_leader(&self) -> Result<(), Refusal> {
        let mut leadership = self.leadership.clone();
        loop {
            let since = match *leadership.borrow_and_update() {
                Leadership::Here => return Ok(()),
                Leadership::There(_) => return Err(elsewhere()),
                Leadership::Nobody(since) => since,
            };
            match timeout_at(clock::deadline(since + self.patience), leadership.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Refusal::no_leader()),
            }
        }
    }
}

fn elsewhere() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, "this manager does not lead the swarm; ask the one that does")
}

fn interrupted() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, "the leader was lost before it could answer")
}

fn disk_full() -> Refusal {
    let message = "the manager's disk is full: nothing can be changed until there is room, though what was already \
                   asked may be done then";
    Refusal::new(RefusalKind::Unavailable, message)
}

fn timed_out() -> Refusal {
    Refusal::new(
        RefusalKind::Unavailable,
        "the leader did not answer in time; the change may or may not be made",
    )
}
