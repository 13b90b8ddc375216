//! Puts a question to whoever leads, and waits for the answer.
//!
//! In: what users and nodes want. Out: what the leader answers, within [`REQUEST_TIMEOUT`]; or that there is none, so
//! that the asker may try again later. Requests go to the leader wherever it is, and readers ask it how far they must
//! have read. What nodes say in their sessions is
//! only for a leader on this manager, whose end of this door is [`crate::desk::Desk`]; for others it is forwarded as
//! it comes (`services::forward`).

use std::error::Error;
use std::sync::Arc;

use control::leader::{Answer, Request, Tell, seen_in};
use model::limits::REQUEST_TIMEOUT;
use model::node::NodeDescription;
use model::{Duration, NodeId, Refusal, RefusalKind, SessionId, TaskId, TaskStatus, VolumeId};
use store::State;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tonic::Status;
use wire::refusal_of;

use crate::log::writer::Room;
use crate::manager::Group;
use crate::remote;
use crate::replica::{Leadership, Order};
use crate::route::{Elsewhere, Place, Route};

/// Where the answer to one question goes.
pub type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// Questions that wait for the leader; whoever brings one more waits too.
const QUESTIONS_MAX: usize = model::limits::REQUESTS_WAITING_MAX;
/// What a manager says that does not lead.
const ELSEWHERE: &str = "this manager does not lead the swarm; ask the one that does";
/// The pause after a leader that could not be reached, unless another is found meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long this manager's book may take to hold what a leader elsewhere has answered.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

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
    route: Route,
    room: watch::Receiver<Room>,
    group: Group,
    book: watch::Receiver<Arc<State>>,
}

impl Ask {
    /// A way to a leader who always leads and whose book this is, and the end where its questions come out: for those
    /// who speak with a manager that is none.
    #[expect(clippy::disallowed_methods, reason = "whoever answers ends with the last clone of this")]
    pub fn alone(book: watch::Receiver<Arc<State>>) -> (Self, mpsc::Receiver<Question>) {
        let leadership = watch::Sender::new(Leadership::Here).subscribe();
        let tls = watch::Sender::new(pki::trust::unverified_client()).subscribe();
        let members = watch::Sender::default().subscribe();
        let route = Route::new(leadership, members, tls, Duration::ZERO);
        let (orders, mut received) = mpsc::channel(1);
        let known = book.clone();
        tokio::spawn(async move {
            while let Some(order) = received.recv().await {
                if let Order::Read(reader) = order {
                    // Whoever asked may have gone.
                    let _ = reader.send(Ok(known.borrow().index));
                }
            }
        });
        Self::led(route, watch::Sender::default().subscribe(), Group::of(orders), book)
    }

    /// A way to whoever leads, and the end where questions for this manager's leader come out. `group` and `book`
    /// are this manager's own: what a leader elsewhere has done is waited for in them.
    pub(crate) fn led(
        route: Route,
        room: watch::Receiver<Room>,
        group: Group,
        book: watch::Receiver<Arc<State>>,
    ) -> (Self, mpsc::Receiver<Question>) {
        let (questions, receiver) = mpsc::channel(QUESTIONS_MAX);
        (Self { questions, route, room, group, book }, receiver)
    }

    /// Who leads, now and whenever it changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.route.leadership()
    }

    /// Says whether anybody leads, without waiting.
    ///
    /// # Errors
    /// If nobody does, and has not for too long.
    pub fn check_led(&self) -> Result<(), Refusal> {
        self.route.check()
    }

    /// Asks for a change of the swarm. The answer comes when it is committed, and in this manager's book.
    ///
    /// # Errors
    /// If the leader says no, or there is none.
    pub async fn request(&self, request: Request) -> Result<Answer, Refusal> {
        in_time(timed_out, async {
            loop {
                let leader = match self.route.find().await? {
                    Place::Here => return self.request_here(request).await,
                    Place::There(leader) => leader,
                };
                let id = leader.leader;
                match self.request_there(leader, request.clone()).await {
                    Attempt::Answered(answer) => return answer,
                    // Most likely it has fallen, and the others notice soon.
                    Attempt::Unheard => drop(timeout(RETRY_PAUSE, self.route.lost(id)).await),
                }
            }
        })
        .await
    }

    /// As [`Ask::request`], but only of a leader on this manager: for those who looked for it here.
    ///
    /// # Errors
    /// If the leader says no, or is not here.
    pub(crate) async fn request_of_this(&self, request: Request) -> Result<Answer, Refusal> {
        in_time(timed_out, async {
            self.lead().await?;
            self.request_here(request).await
        })
        .await
    }

    /// The book with everything in it that was acknowledged before this was called, by whichever manager.
    ///
    /// # Errors
    /// If there is no leader who knows how far that is.
    pub async fn read(&self) -> Result<Arc<State>, Refusal> {
        in_time(unread, async {
            loop {
                self.route.until_led().await?;
                // A leader that fell meanwhile refuses; then another one knows.
                if let Ok(index) = self.group.committed().await? {
                    let mut book = self.book.clone();
                    let state = book.wait_for(|state| state.index >= index).await;
                    return state.map(|state| Arc::clone(&state)).map_err(|_| Refusal::no_leader());
                }
            }
        })
        .await
    }

    /// Opens a node's session.
    ///
    /// # Errors
    /// If the leader says no, or is not here.
    pub async fn open(&self, opening: Opening) -> Result<SessionId, Refusal> {
        match self.put(|reply| Question::Open(Box::new(opening), reply)).await? {
            Answer::Session(session) => Ok(session),
            other => unreachable!("opening a session was answered with {other:?}"),
        }
    }

    /// Wants a node to be told its assignments.
    ///
    /// # Errors
    /// If the leader is not here.
    pub async fn listen(&self, listening: Listening) -> Result<(), Refusal> {
        self.lead().await?;
        self.questions.send(Question::Listen(listening)).await.map_err(|_| Refusal::no_leader())
    }

    /// Says that a node lives; the answer is when it shall say so again.
    ///
    /// # Errors
    /// If the leader says no, or is not here.
    pub async fn heartbeat(&self, node: NodeId, session: SessionId) -> Result<Duration, Refusal> {
        match self.put(|reply| Question::Heartbeat(node, session, reply)).await? {
            Answer::Heartbeat(period) => Ok(period),
            other => unreachable!("a heartbeat was answered with {other:?}"),
        }
    }

    /// Tells how far a node's tasks are. Ends when it is committed.
    ///
    /// # Errors
    /// If the leader says no, or is not here.
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
    /// If the leader says no, or is not here.
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

    /// The way to whoever leads.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    async fn put(&self, question: impl FnOnce(Reply) -> Question) -> Result<Answer, Refusal> {
        in_time(timed_out, async {
            self.lead().await?;
            self.put_here(question).await
        })
        .await
    }

    async fn request_here(&self, request: Request) -> Result<Answer, Refusal> {
        let mut room = self.room();
        tokio::select! {
            biased;
            Ok(_) = room.wait_for(|room| *room == Room::None) => Err(disk_full()),
            answer = self.put_here(|reply| Question::Request(request, reply)) => answer,
        }
    }

    async fn put_here(&self, question: impl FnOnce(Reply) -> Question) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(question(reply)).await.map_err(|_| Refusal::no_leader())?;
        // A leader that falls drops its questions: what was asked may or may not have been done.
        answer.await.unwrap_or_else(|_| Err(interrupted()))
    }

    async fn request_there(&self, there: Elsewhere, request: Request) -> Attempt {
        let Elsewhere { leader, channel } = there;
        let answered = tokio::select! {
            answered = remote::request(channel, request) => answered,
            () = self.route.lost(leader) => return Attempt::Answered(Err(interrupted())),
        };
        match answered {
            Ok(answer) => Attempt::Answered(Ok(self.as_seen_here(answer).await)),
            Err(status) if was_unheard(&status) => Attempt::Unheard,
            Err(status) => Attempt::Answered(Err(refusal_of(&status))),
        }
    }

    /// An answer as this manager's book has it. It is not waited for in vain: what was answered is true, even if it is
    /// not seen here yet.
    async fn as_seen_here(&self, answer: Answer) -> Answer {
        match timeout(CATCH_UP_MAX, self.read()).await {
            Ok(Ok(book)) => seen_in(answer, &book),
            Ok(Err(_)) | Err(_) => answer,
        }
    }

    /// Returns when this manager leads.
    async fn lead(&self) -> Result<(), Refusal> {
        match self.route.find().await? {
            Place::Here => Ok(()),
            Place::There(_) => Err(elsewhere()),
        }
    }
}

/// What became of a request to a leader elsewhere.
enum Attempt {
    /// It was heard, or may have been.
    Answered(Result<Answer, Refusal>),
    /// It never got there, and may be tried again.
    Unheard,
}

/// True if the call never left this machine, or went to one that leads no more.
fn was_unheard(status: &Status) -> bool {
    if status.message() == ELSEWHERE {
        return true;
    }
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn in_time<T>(
    late: fn() -> Refusal,
    answered: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    timeout(REQUEST_TIMEOUT, answered).await.unwrap_or_else(|_| Err(late()))
}

fn elsewhere() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, ELSEWHERE)
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

fn unread() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, "the leader did not say in time how far the managers have come")
}
