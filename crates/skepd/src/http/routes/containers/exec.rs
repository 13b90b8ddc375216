//! Processes that are started in containers.

use api::ApiError;
use api::exec::{ExecCreate, ExecCreated, ExecInspect, ExecStart as Start, ProcessConfig};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use runtime::container::description::{Size, Terminal};
use runtime::container::exec::{ExecPhase, ExecStdin};
use runtime::container::{ContainerError, ExecId, ExecStart, ExecWish, Phase};

use crate::http::error::Answer;
use crate::http::request::{self, Json, Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;
use crate::http::routes::containers::attach::{self, Wish};
use crate::http::routes::containers::life;

pub(super) async fn create(
    State(daemon): Shared,
    Path(id): Path<String>,
    Json(request): Json<ExecCreate>,
) -> Answer {
    let ExecCreate {
        user,
        privileged,
        tty,
        console_size,
        attach_stdin,
        attach_stderr: _,
        attach_stdout: _,
        detach: _,
        detach_keys: _,
        env,
        working_dir,
        cmd,
    } = request;
    let id = daemon.containers.resolve(&id)?;
    if cmd.is_empty() {
        return Err(ApiError::invalid("No exec command specified").into());
    }
    if let Phase::Paused(_) = daemon.containers.inspect(id)?.phase {
        return Err(ApiError::conflict(format!(
            "Container {id} is paused, unpause the container before exec"
        ))
        .into());
    }
    let wish = ExecWish {
        container: Some(id),
        command: cmd,
        env,
        user,
        working_dir,
        terminal: if tty { Terminal::Sized(size(console_size)) } else { Terminal::None },
        stdin: if attach_stdin { ExecStdin::Open } else { ExecStdin::Closed },
        privileged,
    };
    let exec = daemon.containers.exec_create(id, wish)?;
    Ok(respond::json_with(StatusCode::CREATED, &ExecCreated { id: exec.to_string() }))
}

fn size(console_size: Option<[u32; 2]>) -> Size {
    let [rows, columns] =
        console_size.unwrap_or_default().map(|number| u16::try_from(number).unwrap_or(u16::MAX));
    Size { rows, columns }
}

fn id_of(text: &str) -> Result<ExecId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found(format!("No such exec instance: {text}")))
}

pub(super) async fn start(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    incoming: Request,
) -> Answer {
    let id = id_of(&id)?;
    // The connection may be taken over later, so that the head is kept while the body is read.
    let (mut parts, body) = incoming.into_parts();
    let mut head = axum::http::Request::new(axum::body::Body::empty());
    head.headers_mut().clone_from(&parts.headers);
    std::mem::swap(head.extensions_mut(), &mut parts.extensions);
    let text = request::body(Request::from_parts(parts, body)).await?;
    let Start { detach, tty: _, console_size } =
        if text.is_empty() { Start::default() } else { api::read(&text)? };
    let record = daemon.containers.exec_inspect(id)?;
    if detach {
        daemon.containers.exec_start(id, ExecStart::Detached).await?;
        return Ok(respond::ok());
    }
    let containers = daemon.containers.clone();
    let attached = match containers.exec_start(id, ExecStart::Attached).await {
        // Told within the conversation: clients ask for its code then, which is what a shell would give.
        Err(error @ ContainerError::Start { .. }) => Err(error),
        started => Ok(started?),
    };
    if let (Some(_), Terminal::Sized(_)) = (console_size, record.wish.terminal) {
        // A process that has ended already needs no terminal.
        let _ = containers.exec_resize(id, size(console_size)).await;
    }
    let gone = move || ContainerError::ExecNotFound(id.to_string());
    let wish = Wish {
        input: record.wish.stdin == ExecStdin::Open,
        output: true,
        errors: true,
        framing: attach::framing(record.wish.terminal),
        version,
    };
    attach::converse(head, wish, async move { attached?.ok_or_else(gone) })
}

pub(super) async fn resize(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    daemon.containers.exec_resize(id_of(&id)?, life::size(&query)?).await?;
    Ok(respond::ok())
}

pub(super) async fn inspect(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let record = daemon.containers.exec_inspect(id_of(&id)?)?;
    let wish = record.wish;
    let (running, pid, exit_code) = match record.phase {
        ExecPhase::Created | ExecPhase::Starting => (false, 0, None),
        ExecPhase::Running { pid } => (true, i32::try_from(pid).unwrap_or(0), None),
        ExecPhase::Exited { code } => (false, 0, Some(code)),
    };
    let (entrypoint, arguments) = wish
        .command
        .split_first()
        .map_or_else(Default::default, |(first, rest)| (first.clone(), rest.to_vec()));
    Ok(respond::json(&ExecInspect {
        id: record.id.to_string(),
        running,
        exit_code,
        process_config: ProcessConfig {
            tty: wish.terminal != Terminal::None,
            entrypoint,
            arguments,
            privileged: wish.privileged,
            user: wish.user,
        },
        open_stdin: wish.stdin == ExecStdin::Open,
        open_stderr: true,
        open_stdout: true,
        can_remove: !running,
        container_id: wish.container.map(|id| id.to_string()).unwrap_or_default(),
        detach_keys: String::new(),
        pid,
    }))
}
