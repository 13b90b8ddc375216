//! The conversation with nodes (`control.md` section 12): sessions, heartbeats, assignments, statuses.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use control::leader::{Assignment, AssignmentChange, Assignments, Peer, SessionMessage, Tell};
use futures_util::Stream;
use model::node::NodeDescription;
use model::{NodeId, SessionId, Task, TaskId, TaskStatus};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use wire::proto::assignment::Item;
use wire::proto::assignment_change::AssignmentAction;
use wire::proto::dispatcher_server;
use wire::{OnWire, proto, status_of};

use super::guard::{Guard, NODES};
use crate::ask::{Ask, Listening, Opening};

/// Messages that wait for a node to take them. One that does not is let go, and comes back for all of it.
const TELLS_MAX: usize = 256;
/// How readily an agent takes to this manager; all are alike.
const WEIGHT: i64 = 10;

/// The service.
#[derive(Debug)]
pub(super) struct Dispatcher {
    guard: Guard,
    ask: Ask,
}

impl Dispatcher {
    pub(super) fn new(guard: Guard, ask: Ask) -> Self {
        Self { guard, ask }
    }

    async fn listen(&self, node: NodeId, session: &str) -> Result<mpsc::Receiver<Tell>, Status> {
        let (tells, told) = mpsc::channel(TELLS_MAX);
        let listening = Listening { node, session: session_id(session)?, tells };
        self.ask.listen(listening).await.map_err(|refusal| status_of(&refusal))?;
        Ok(told)
    }
}

#[tonic::async_trait]
impl dispatcher_server::Dispatcher for Dispatcher {
    type SessionStream = SessionStream;
    type TasksStream = Told<TaskList>;
    type AssignmentsStream = Told<Differences>;

    async fn session(
        &self,
        request: Request<proto::SessionRequest>,
    ) -> Result<Response<SessionStream>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let proto::SessionRequest { description, session_id } = request.into_inner();
        let (tells, told) = mpsc::channel(TELLS_MAX);
        let opening = Opening {
            node: caller.node,
            description: NodeDescription::from_wire(description.unwrap_or_default())?,
            session: session_id.parse().ok(),
            addr: caller.addr,
            tells,
        };
        let session = self.ask.open(opening).await.map_err(|refusal| status_of(&refusal))?;
        let (ask, node) = (self.ask.clone(), caller.node);
        Ok(Response::new(SessionStream { told: Told::new(told, Sessions), ask, node, session }))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatResponse>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let session = session_id(&request.get_ref().session_id)?;
        let period = self.ask.heartbeat(caller.node, session).await.map_err(|refusal| status_of(&refusal))?;
        Ok(Response::new(proto::HeartbeatResponse { period: Some(period.to_wire()) }))
    }

    async fn update_task_status(
        &self,
        request: Request<proto::UpdateTaskStatusRequest>,
    ) -> Result<Response<proto::UpdateTaskStatusResponse>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let proto::UpdateTaskStatusRequest { session_id: session, updates } = request.into_inner();
        let session = session_id(&session)?;
        let updates = updates.into_iter().filter_map(status_update).collect::<Result<_, _>>()?;
        let told = self.ask.statuses(caller.node, session, updates).await;
        told.map_err(|refusal| status_of(&refusal))?;
        Ok(Response::new(proto::UpdateTaskStatusResponse {}))
    }

    async fn update_volume_status(
        &self,
        request: Request<proto::UpdateVolumeStatusRequest>,
    ) -> Result<Response<proto::UpdateVolumeStatusResponse>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let proto::UpdateVolumeStatusRequest { session_id: session, updates } = request.into_inner();
        let session = session_id(&session)?;
        let released = updates.into_iter().filter(|update| update.unpublished);
        let volumes = released.filter_map(|update| update.id.parse().ok()).collect();
        let told = self.ask.volumes(caller.node, session, volumes).await;
        told.map_err(|refusal| status_of(&refusal))?;
        Ok(Response::new(proto::UpdateVolumeStatusResponse {}))
    }

    async fn tasks(&self, request: Request<proto::TasksRequest>) -> Result<Response<Told<TaskList>>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let told = self.listen(caller.node, &request.get_ref().session_id).await?;
        Ok(Response::new(Told::new(told, TaskList::default())))
    }

    async fn assignments(
        &self,
        request: Request<proto::AssignmentsRequest>,
    ) -> Result<Response<Told<Differences>>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let told = self.listen(caller.node, &request.get_ref().session_id).await?;
        Ok(Response::new(Told::new(told, Differences)))
    }
}

/// What a node is told, in words of the wire.
#[derive(Debug)]
pub(super) struct Told<W> {
    told: mpsc::Receiver<Tell>,
    words: W,
}

/// How one kind of stream says what a node is told; nothing, if it is not for this stream.
pub(super) trait Words: Unpin {
    type Message;
    fn say(&mut self, tell: Tell) -> Option<Result<Self::Message, Status>>;
}

impl<W> Told<W> {
    fn new(told: mpsc::Receiver<Tell>, words: W) -> Self {
        Self { told, words }
    }
}

impl<W: Words> Stream for Told<W> {
    type Item = Result<W::Message, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.told.poll_recv(cx) {
                Poll::Ready(Some(Tell::End(refusal))) => return Poll::Ready(Some(Err(status_of(&refusal)))),
                Poll::Ready(Some(tell)) => {
                    if let Some(message) = self.words.say(tell) {
                        return Poll::Ready(Some(message));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A session's stream. When it breaks, the leader is told.
#[derive(Debug)]
pub(super) struct SessionStream {
    told: Told<Sessions>,
    ask: Ask,
    node: NodeId,
    session: SessionId,
}

impl Stream for SessionStream {
    type Item = Result<proto::SessionMessage, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.told).poll_next(cx)
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.ask.closed(self.node, self.session);
    }
}

/// Says session messages.
#[derive(Debug)]
pub(super) struct Sessions;

impl Words for Sessions {
    type Message = proto::SessionMessage;

    fn say(&mut self, tell: Tell) -> Option<Result<Self::Message, Status>> {
        match tell {
            Tell::Session(message) => Some(Ok(session_message(&message))),
            Tell::Assignments(_) | Tell::End(_) => None,
        }
    }
}

/// Says assignments as they are.
#[derive(Debug)]
pub(super) struct Differences;

impl Words for Differences {
    type Message = proto::AssignmentsMessage;

    fn say(&mut self, tell: Tell) -> Option<Result<Self::Message, Status>> {
        match tell {
            Tell::Assignments(assignments) => Some(Ok(assignments_message(&assignments))),
            Tell::Session(_) | Tell::End(_) => None,
        }
    }
}

/// Says all tasks each time, for agents of long ago.
#[derive(Debug, Default)]
pub(super) struct TaskList(BTreeMap<TaskId, Arc<Task>>);

impl Words for TaskList {
    type Message = proto::TasksMessage;

    fn say(&mut self, tell: Tell) -> Option<Result<Self::Message, Status>> {
        let Tell::Assignments(assignments) = tell else { return None };
        if assignments.complete {
            self.0.clear();
        }
        for change in assignments.changes {
            match change {
                AssignmentChange::Update(Assignment::Task(task)) => {
                    self.0.insert(task.id, task);
                }
                AssignmentChange::RemoveTask(id) => {
                    self.0.remove(&id);
                }
                _ => {}
            }
        }
        let tasks = self.0.values().map(|task| task.as_ref().to_wire()).collect();
        Some(Ok(proto::TasksMessage { tasks }))
    }
}

fn session_id(text: &str) -> Result<SessionId, Status> {
    text.parse().map_err(|_| Status::invalid_argument("session invalid"))
}

/// A report; none for a task whose id no task can have, since the task is gone then.
fn status_update(
    update: proto::update_task_status_request::TaskStatusUpdate,
) -> Option<Result<(TaskId, TaskStatus), Status>> {
    let proto::update_task_status_request::TaskStatusUpdate { task_id, status } = update;
    let id = task_id.parse().ok()?;
    Some(TaskStatus::from_wire(status?).map(|status| (id, status)).map_err(Status::from))
}

fn session_message(message: &SessionMessage) -> proto::SessionMessage {
    let SessionMessage { session, node, managers, network_bootstrap_keys, root_ca } = message;
    let peer = |peer: &Peer| {
        let Peer { node_id, addr } = peer;
        let peer = proto::Peer { node_id: node_id.to_wire(), addr: addr.clone() };
        proto::WeightedPeer { peer: Some(peer), weight: WEIGHT }
    };
    proto::SessionMessage {
        session_id: session.to_wire(),
        node: Some(node.as_ref().to_wire()),
        managers: managers.iter().map(peer).collect(),
        network_bootstrap_keys: network_bootstrap_keys.to_wire(),
        root_ca: root_ca.clone(),
    }
}

fn assignments_message(assignments: &Assignments) -> proto::AssignmentsMessage {
    use proto::assignments_message::Type;
    let Assignments { complete, applies_to, results_in, changes } = assignments;
    proto::AssignmentsMessage {
        r#type: if *complete { Type::Complete } else { Type::Incremental }.into(),
        applies_to: if *complete { String::new() } else { applies_to.to_string() },
        results_in: results_in.to_string(),
        changes: changes.iter().map(assignment_change).collect(),
    }
}

/// What is removed carries nothing but its id.
fn assignment_change(change: &AssignmentChange) -> proto::AssignmentChange {
    let (action, item) = match change {
        AssignmentChange::Update(Assignment::Task(task)) => {
            (AssignmentAction::Update, Item::Task(task.as_ref().to_wire()))
        }
        AssignmentChange::Update(Assignment::Secret(secret)) => {
            (AssignmentAction::Update, Item::Secret(secret.as_ref().to_wire()))
        }
        AssignmentChange::Update(Assignment::Config(config)) => {
            (AssignmentAction::Update, Item::Config(config.as_ref().to_wire()))
        }
        AssignmentChange::Update(Assignment::Volume(volume)) => {
            (AssignmentAction::Update, Item::Volume(volume.as_ref().to_wire()))
        }
        AssignmentChange::RemoveTask(id) => {
            let task = proto::Task { id: id.to_wire(), ..Default::default() };
            (AssignmentAction::Remove, Item::Task(task))
        }
        AssignmentChange::RemoveSecret(id) => {
            let secret = proto::Secret { id: id.to_wire(), ..Default::default() };
            (AssignmentAction::Remove, Item::Secret(secret))
        }
        AssignmentChange::RemoveConfig(id) => {
            let config = proto::Config { id: id.to_wire(), ..Default::default() };
            (AssignmentAction::Remove, Item::Config(config))
        }
        AssignmentChange::RemoveVolume(id) => {
            let volume = proto::VolumeAssignment { id: id.to_wire(), ..Default::default() };
            (AssignmentAction::Remove, Item::Volume(volume))
        }
    };
    let assignment = Some(proto::Assignment { item: Some(item) });
    proto::AssignmentChange { assignment, action: action.into() }
}
