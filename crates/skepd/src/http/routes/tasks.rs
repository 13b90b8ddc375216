//! Tasks of the swarm.

use std::sync::Arc;

use api::{ApiError, Filters, task};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use control::leader;
use manager::services::LogSelector;
use model::{Node, Runtime, Service, Task, TaskSpec, TaskState};

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;
use crate::http::stream::Framing;
use crate::http::task_logs;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/tasks", get(list))
        .route("/tasks/{id}", get(inspect))
        .route("/tasks/{id}/logs", get(logs))
}

const FILTERS: &[&str] =
    &["_up-to-date", "desired-state", "id", "label", "name", "node", "runtime", "service"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let state = daemon.node.manager()?.state().await?;
    let chosen = Chosen::new(&filters, &state)?;
    let tasks: Vec<_> = match chosen.services.as_slice() {
        // A question about services looks only at their tasks, however many others there are.
        [_, ..] => chosen.services.iter().flat_map(|service| state.tasks_of(service.id)).collect(),
        [] => state.tasks.iter().collect(),
    };
    let tasks = tasks.into_iter().filter(|task| chosen.has(task));
    Ok(respond::json(&tasks.map(|task| task::Task::from(&**task)).collect::<Vec<_>>()))
}

/// Which tasks are asked for, with names already looked up.
struct Chosen<'a> {
    filters: &'a Filters,
    state: &'a store::State,
    services: Vec<&'a Arc<Service>>,
    nodes: Vec<&'a Arc<Node>>,
    desired: Vec<TaskState>,
    up_to_date: Option<bool>,
}

impl<'a> Chosen<'a> {
    fn new(filters: &'a Filters, state: &'a store::State) -> Result<Self, ApiError> {
        let desired = |word: &str| {
            word.parse().map_err(|_| ApiError::internal(format!("Invalid desired-state filter: '{word}'")))
        };
        Ok(Self {
            services: filters.values("service").map(|text| find(state, text)).collect::<Result<_, _>>()?,
            nodes: filters.values("node").map(|text| find(state, text)).collect::<Result<_, _>>()?,
            desired: filters.values("desired-state").map(desired).collect::<Result<_, _>>()?,
            up_to_date: filters.truth("_up-to-date")?,
            filters,
            state,
        })
    }

    fn has(&self, task: &Task) -> bool {
        let on_node = |node: &&Arc<Node>| task.node_id == Some(node.id);
        (self.nodes.is_empty() || self.nodes.iter().any(on_node))
            && (self.desired.is_empty() || self.desired.contains(&task.desired_state))
            && self.filters.prefix("id", task.id.as_str())
            && self.filters.any("name", |name| task.name().starts_with(name))
            && self.filters.labels("label", &task.service_annotations.labels)
            && self.has_runtime(task)
            && self.up_to_date.is_none_or(|wished| leader::is_up_to_date(self.state, task) == wished)
    }

    /// Attachments are shown only to those who ask for them.
    fn has_runtime(&self, task: &Task) -> bool {
        if self.filters.has("runtime") {
            return self.filters.any("runtime", |runtime| task.runtime_name() == runtime);
        }
        !matches!(task.spec.runtime, Runtime::Attachment(_))
    }
}

async fn inspect(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    Ok(respond::json(&task::Task::from(&**find::<Task>(&state, &id)?)))
}

async fn logs(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    query: Query,
) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let task = find::<Task>(&state, &id)?;
    let selector = LogSelector { task_ids: vec![task.id.to_string()], ..LogSelector::default() };
    task_logs::answer(&manager, selector, &query, (framing(&task.spec), version)).await
}

/// How what tasks of this kind write is sent.
pub(super) fn framing(spec: &TaskSpec) -> Framing {
    let has_terminal = spec.container().is_some_and(|container| container.tty);
    if has_terminal { Framing::Raw } else { Framing::Multiplexed }
}
