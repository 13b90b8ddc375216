//! One conversation with one manager, from registration until something breaks.

use std::sync::Arc;

use control::worker::Input;
use host::clock;
use model::node::NodeDescription;
use model::{Duration, SessionId};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tracing::{debug, warn};
use wire::channel::{self, MANAGER_NAME};
use wire::proto::dispatcher_client::DispatcherClient;
use wire::proto::{
    self, AssignmentsMessage, AssignmentsRequest, HeartbeatRequest, SessionMessage, SessionRequest,
    UpdateTaskStatusRequest, update_task_status_request::TaskStatusUpdate,
};
use wire::{Malformed, OnWire};

use super::{News, Speaker, translate};
use crate::executor::Executor;

/// How a conversation ended.
#[derive(Debug)]
pub(crate) enum Broken {
    /// This node has something else to say of itself; nothing is wrong.
    Changed,
    /// It was registered.
    AfterRegistration(String),
    /// It was never registered.
    Early(String),
}

/// How long a manager may take to register a node, and to answer a heartbeat.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often this node looks whether it has something else to say of itself. Nothing tells when memory, plugins or
/// labels of a machine have changed, so it must look; stock nodes do as often.
const LOOK_PERIOD: Duration = Duration::from_secs(20);
/// What a manager may say at once; assignments of many tasks are large.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// A conversation in which this node is registered.
pub(super) struct Conversation {
    channel: Channel,
    client: DispatcherClient<Channel>,
    session: SessionId,
    description: NodeDescription,
    messages: Streaming<SessionMessage>,
}

impl Conversation {
    /// Registers this node with a manager.
    pub(super) async fn open<E: Executor>(
        speaker: &mut Speaker<E>,
        manager: &str,
        old: Option<SessionId>,
    ) -> Result<Self, Broken> {
        let early = |why: &dyn std::fmt::Display| Broken::Early(format!("{manager}: {why}"));
        let tls = speaker.config.identity.borrow_and_update().client_tls().map_err(|error| early(&error))?;
        let channel = channel::connect(manager, MANAGER_NAME, tls).await.map_err(|error| early(&error))?;
        let mut client = DispatcherClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let description = speaker.describe().await;
        let request = SessionRequest {
            description: Some(description.to_wire()),
            session_id: old.map(|session| session.to_string()).unwrap_or_default(),
        };
        let first = async {
            let mut messages = client.session(request).await?.into_inner();
            let first =
                messages.message().await?.ok_or_else(|| Status::aborted("the session ended at once"))?;
            Ok::<_, Status>((messages, first))
        };
        let answered = tokio::time::timeout(ANSWER_MAX, first).await;
        let (messages, first) =
            answered.map_err(|_| early(&"no answer"))?.map_err(|status| early(&status))?;
        let (session, news) = translate::news(first).map_err(|error| early(&error))?;
        speaker.take_in(news).await;
        Ok(Self { channel, client, session, description, messages })
    }

    /// The session's id.
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// Speaks and listens until something breaks.
    pub(super) async fn hold<E: Executor>(self, speaker: &mut Speaker<E>) -> Broken {
        let Self { channel, client, session, description, mut messages } = self;
        let session = session.to_string();
        if speaker.inputs.send(Input::Reconnected).await.is_err() {
            return Broken::AfterRegistration("the worker is gone".to_owned());
        }
        let mut identity = speaker.config.identity.clone();
        let heartbeats = heartbeats(client.clone(), &session);
        let assignments = assignments(client.clone(), &session, speaker);
        let reports = reports(client.clone(), &session, speaker);
        let changes = speaker.changes(&description);
        let logs = speaker.readers.answer(channel);
        tokio::pin!(heartbeats, assignments, reports, changes, logs);
        loop {
            let news = tokio::select! {
                message = messages.message() => match listened(message) {
                    Ok(news) => news,
                    Err(why) => return Broken::AfterRegistration(why),
                },
                why = &mut heartbeats => return Broken::AfterRegistration(why),
                why = &mut assignments => return Broken::AfterRegistration(why),
                why = &mut reports => return Broken::AfterRegistration(why),
                status = &mut logs => return Broken::AfterRegistration(told(&status)),
                () = &mut changes => return Broken::Changed,
                Ok(()) = identity.changed() => return Broken::Changed,
            };
            speaker.take_in(news).await;
        }
    }
}

impl<E: Executor> Speaker<E> {
    /// Takes in what the managers say of this node.
    async fn take_in(&self, news: News) {
        self.executor.configure(&news.node).await;
        self.news.send_replace(Some(Arc::new(news)));
    }

    /// What this node says of itself: the machine by the executor, the certificate by what it holds.
    async fn describe(&self) -> NodeDescription {
        let tls_info = Some(self.config.identity.borrow().tls_info());
        NodeDescription { tls_info, ..self.executor.describe().await }
    }

    /// Ends when this node has something else to say of itself.
    async fn changes(&self, told: &NodeDescription) {
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            if self.describe().await != *told {
                return;
            }
        }
    }
}

fn listened(message: Result<Option<SessionMessage>, Status>) -> Result<News, String> {
    let message = message.map_err(|status| told(&status))?.ok_or("the manager ended the session")?;
    translate::news(message).map(|(_, news)| news).map_err(|error| error.to_string())
}

/// Says that this node is alive, as often as the managers want. Ends with why it cannot.
async fn heartbeats(mut client: DispatcherClient<Channel>, session: &str) -> String {
    loop {
        let call = client.heartbeat(HeartbeatRequest { session_id: session.to_owned() });
        let period = match tokio::time::timeout(ANSWER_MAX, call).await {
            Err(_) => return "no answer to a heartbeat".to_owned(),
            Ok(Err(status)) => return told(&status),
            Ok(Ok(response)) => response.into_inner().period,
        };
        match period.map(Duration::from_wire).transpose() {
            Ok(period) => tokio::time::sleep(period.unwrap_or(ANSWER_MAX)).await,
            Err(malformed) => return malformed.to_string(),
        }
    }
}

/// Listens to assignments and hands them to the worker. Ends with why it cannot.
async fn assignments<E: Executor>(
    mut client: DispatcherClient<Channel>,
    session: &str,
    speaker: &Speaker<E>,
) -> String {
    loop {
        let request = AssignmentsRequest { session_id: session.to_owned() };
        let mut messages = match client.assignments(request).await {
            Ok(response) => response.into_inner(),
            Err(status) => return told(&status),
        };
        let mut applied = String::new();
        loop {
            let message = match messages.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return "the manager ended the assignments".to_owned(),
                Err(status) => return told(&status),
            };
            if follows(&message, &applied) {
                applied.clone_from(&message.results_in);
            } else {
                debug!("a difference of assignments was missed; asking for the whole");
                break;
            }
            match translate::assignments(message, &speaker.dependencies) {
                Ok(input) => {
                    if speaker.inputs.send(input).await.is_err() {
                        return "the worker is gone".to_owned();
                    }
                }
                Err(Malformed { field, value }) => {
                    return format!("assignments: {field} cannot be {value:?}");
                }
            }
        }
    }
}

/// True if the message is a whole, or builds upon the last one.
fn follows(message: &AssignmentsMessage, applied: &str) -> bool {
    message.r#type == proto::assignments_message::Type::Complete as i32 || message.applies_to == applied
}

/// Tells what has become of tasks, all that waits in one call. Ends with why it cannot.
async fn reports<E: Executor>(
    mut client: DispatcherClient<Channel>,
    session: &str,
    speaker: &Speaker<E>,
) -> String {
    loop {
        let waiting = speaker.reports.take().await;
        let begin = clock::now();
        let update = |(task, status): (&model::TaskId, &model::TaskStatus)| TaskStatusUpdate {
            task_id: task.to_string(),
            status: Some(status.to_wire()),
        };
        let request = UpdateTaskStatusRequest {
            session_id: session.to_owned(),
            updates: waiting.iter().map(update).collect(),
        };
        match client.update_task_status(request).await {
            Ok(_) => debug!(tasks = waiting.len(), took = ?clock::since(begin), "reported"),
            // The managers know none of these tasks any more.
            Err(status) if status.code() == Code::NotFound => {
                warn!("reports were refused: {}", told(&status))
            }
            Err(status) => {
                speaker.reports.put_back(waiting);
                return told(&status);
            }
        }
    }
}

fn told(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
