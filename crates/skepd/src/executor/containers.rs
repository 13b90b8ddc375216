//! What a container's record says of its task.

use control::worker::{Done, Failure};
use model::Task;
use model::task::ContainerStatus;
use runtime::container::health::HealthStatus;
use runtime::container::{ContainerError, ContainerId, Containers, Record};

/// The label that tells whose container it is.
pub(super) const TASK_LABEL: &str = "com.docker.swarm.task.id";

/// Where a task's container is in what its task cares for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It runs, but is not known to be well yet.
    Uncertain,
    /// It runs, and is well as far as anybody looks.
    Well,
    /// It runs and is not well.
    Unwell,
    /// It does not run.
    Over,
}

/// Where a container is in what its task cares for.
pub(super) fn life(record: &Record) -> Life {
    if record.running().is_none() {
        return Life::Over;
    }
    match record.health.as_ref().map(|health| health.status) {
        None | Some(HealthStatus::Healthy) => Life::Well,
        Some(HealthStatus::Starting) => Life::Uncertain,
        Some(HealthStatus::Unhealthy) => Life::Unwell,
    }
}

/// A task's container, if there is one: containers bear their task's name.
pub(super) fn find(containers: &Containers, task: &Task) -> Option<ContainerId> {
    let id = containers.resolve(&task.name()).ok()?;
    let record = containers.inspect(id).ok()?;
    (record.description.labels.get(TASK_LABEL)? == task.id.as_str()).then_some(id)
}

/// A container as the managers are told of it.
pub(super) fn status(record: &Record) -> ContainerStatus {
    ContainerStatus {
        container_id: record.id.to_string(),
        pid: record.running().and_then(|running| i32::try_from(running.pid).ok()).unwrap_or(0),
        exit_code: record.exit().map_or(0, |exit| exit.code),
    }
}

/// How a task ended whose container has ended by itself.
pub(super) fn ended(record: &Record) -> Result<Done, Failure> {
    let container = Some(status(record));
    match record.exit().map(|exit| exit.code) {
        Some(0) => Ok(Done { container, ports: None }),
        code => Err(Failure { message: non_zero(code.unwrap_or(-1)), temporary: false, container }),
    }
}

/// How a task failed whose container was not well, after it was stopped.
pub(super) fn unhealthy(record: &Record) -> Failure {
    let code = record.exit().map_or(-1, |exit| exit.code);
    let message = format!("{}: dockerexec: unhealthy container", non_zero(code));
    Failure { message, temporary: false, container: Some(status(record)) }
}

/// A refusal of the containers' door. What the machine refuses may be tried again; the rest may not.
pub(super) fn failed(error: &ContainerError) -> Failure {
    let temporary = matches!(error, ContainerError::Machine { .. } | ContainerError::ShuttingDown);
    Failure { message: chain(error), temporary, container: None }
}

fn non_zero(code: i32) -> String {
    format!("task: non-zero exit ({code})")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
