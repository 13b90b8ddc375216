//! What is done to containers: started, asked to stop, killed, waited for, removed.

use api::container::{ContainersPruned, WaitResponse};
use api::{ApiError, time};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use futures_util::stream;
use model::Duration;
use runtime::container::description::Size;
use runtime::container::{Leavings, Removal, Signal, StopWish, WaitFor};

use super::size;
use crate::http::error::Answer;
use crate::http::request::Query;
use crate::http::routes::Shared;
use crate::http::{respond, stream as streams};

pub(super) async fn start(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    daemon.connector.start(daemon.containers.resolve(&id)?).await?;
    Ok(respond::no_content())
}

pub(super) async fn stop(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    daemon.containers.stop(daemon.containers.resolve(&id)?, stop_wish(&query)?).await?;
    Ok(respond::no_content())
}

pub(super) async fn restart(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let wish = stop_wish(&query)?;
    if daemon.containers.inspect(id)?.running().is_some() {
        daemon.containers.stop(id, wish).await?;
    }
    daemon.connector.start(id).await?;
    daemon.containers.tell_restarted(id)?;
    Ok(respond::no_content())
}

fn stop_wish(query: &Query) -> Result<StopWish, crate::http::Failure> {
    let signal = Some(query.text("signal")).filter(|text| !text.is_empty());
    // A container that may take forever is given the longest time that can be said.
    let forever = Duration::from_secs(u64::from(u32::MAX));
    let seconds = query.number::<i64>("t")?;
    let grace = seconds.map(|seconds| u64::try_from(seconds).map_or(forever, Duration::from_secs));
    Ok(StopWish { signal: signal.map(str::parse::<Signal>).transpose()?, grace })
}

pub(super) async fn kill(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let signal = match query.text("signal") {
        "" => Signal::KILL,
        name => name.parse()?,
    };
    daemon.containers.kill(daemon.containers.resolve(&id)?, signal).await?;
    Ok(respond::no_content())
}

pub(super) async fn pause(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    daemon.containers.pause(daemon.containers.resolve(&id)?).await?;
    Ok(respond::no_content())
}

pub(super) async fn unpause(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    daemon.containers.unpause(daemon.containers.resolve(&id)?).await?;
    Ok(respond::no_content())
}

/// Answers at once and sends the end when it is there: clients begin to wait before they start a container.
pub(super) async fn wait(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let what = match query.text("condition") {
        "" | "not-running" => WaitFor::NotRunning,
        "next-exit" => WaitFor::NextExit,
        "removed" => WaitFor::Removed,
        other => return Err(ApiError::invalid(format!("invalid condition: \"{other}\"")).into()),
    };
    let id = daemon.containers.resolve(&id)?;
    let containers = daemon.containers.clone();
    let mut waiting = Box::pin(async move { containers.wait(id, what).await });
    // What is waited for is counted from now on, not from when the client reads.
    let early = futures_util::poll!(&mut waiting);
    let end = async move {
        let end = match early {
            std::task::Poll::Ready(end) => end,
            std::task::Poll::Pending => waiting.await,
        };
        let response = match end {
            Ok(exit) => WaitResponse { status_code: exit.map_or(0, |exit| exit.code.into()), error: None },
            Err(error) => {
                let message = crate::http::error::chain(&error);
                WaitResponse { status_code: -1, error: Some(api::container::WaitError { message }) }
            }
        };
        let mut line = serde_json::to_vec(&response).expect("answers are made of what JSON can say");
        line.push(b'\n');
        Ok::<_, std::convert::Infallible>(Bytes::from(line))
    };
    Ok(streams::with_type(HeaderValue::from_static("application/json"), Body::from_stream(stream::once(end))))
}

pub(super) async fn rename(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let name = query.text("name").trim_start_matches('/');
    if name.is_empty() {
        return Err(ApiError::invalid("Neither old nor new names may be empty").into());
    }
    daemon.containers.rename(daemon.containers.resolve(&id)?, name).await?;
    Ok(respond::no_content())
}

pub(super) async fn resize(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    daemon.containers.resize(daemon.containers.resolve(&id)?, size(&query)?).await?;
    Ok(respond::ok())
}

/// The size of a terminal, both numbers of which must be given.
pub(super) fn size(query: &Query) -> Result<Size, ApiError> {
    let number = |key: &str| {
        let given = query.number(key)?;
        given.ok_or_else(|| ApiError::invalid(format!("invalid value for {key}: it must be given")))
    };
    Ok(Size { rows: number("h")?, columns: number("w")? })
}

pub(super) async fn remove(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let leavings = if query.truth("v") { Leavings::Volumes } else { Leavings::Nothing };
    let removal = if query.truth("force") { Removal::Forced(leavings) } else { Removal::IfStopped(leavings) };
    daemon.containers.remove(daemon.containers.resolve(&id)?, removal).await?;
    Ok(respond::no_content())
}

/// Removes all that have ended or never ran, if they pass.
pub(super) async fn prune(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(&["label", "label!", "until"])?;
    let now = host::clock::now();
    let until = match filters.one("until")? {
        None => now,
        Some(text) => time::moment(text, now)
            .and_then(|until| until.0)
            .ok_or_else(|| ApiError::invalid(format!("invalid filter 'until={text}'")))?,
    };
    let mut pruned = ContainersPruned::default();
    for record in daemon.containers.list() {
        let labels = &record.description.labels;
        let passes = filters.labels("label", labels)
            && !(filters.has("label!") && filters.labels("label!", labels))
            && record.created < until;
        if !passes || record.running().is_some() {
            continue;
        }
        let id = record.id;
        let size = size::sizes(&daemon, &[record]).await.remove(&id).unwrap_or_default();
        if daemon.containers.remove(id, Removal::IfStopped(Leavings::Nothing)).await.is_ok() {
            pruned.containers_deleted.push(id.to_string());
            pruned.space_reclaimed += size.written.unsigned_abs();
        }
    }
    daemon.tell_pruned("container", pruned.space_reclaimed);
    Ok(respond::json(&pruned))
}
