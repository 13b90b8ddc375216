//! Files of containers: taken out, put in, compared, exported.

use api::ApiError;
use api::container::{Change, go_mode};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::HeaderValue;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime::container::files::{ChangeKind, Clash, Ownership, PathStat};

use crate::http::error::Answer;
use crate::http::request::Query;
use crate::http::routes::Shared;
use crate::http::{respond, stream};

pub(super) async fn stat(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let stat = daemon.containers.stat(id, path(&query)?).await?;
    Ok(with_stat(respond::ok(), stat))
}

pub(super) async fn take_out(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let (stat, archive) = daemon.containers.take_out(id, path(&query)?).await?;
    Ok(with_stat(stream::with_type(TAR, Body::from_stream(archive)), stat))
}

pub(super) async fn put_in(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    request: Request,
) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let clash = if query.truth("noOverwriteDirNonDir") { Clash::Refused } else { Clash::Allowed };
    let ownership = if query.truth("copyUIDGID") { Ownership::TheContainers } else { Ownership::AsArchived };
    let archive = stream::incoming(request);
    daemon.containers.put_in(id, path(&query)?, (clash, ownership), archive).await?;
    Ok(respond::ok())
}

pub(super) async fn export(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let archive = daemon.containers.export(id).await?;
    Ok(stream::with_type(HeaderValue::from_static("application/octet-stream"), Body::from_stream(archive)))
}

pub(super) async fn changes(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let changes = daemon.containers.changes(daemon.containers.resolve(&id)?).await?;
    let shown = changes.into_iter().map(|change| Change {
        path: change.path.display().to_string(),
        kind: match change.kind {
            ChangeKind::Changed => 0,
            ChangeKind::Added => 1,
            ChangeKind::Removed => 2,
        },
    });
    let shown: Vec<_> = shown.collect();
    // Nothing is written as `null`, as clients have come to expect.
    Ok(respond::json(&Some(shown).filter(|shown| !shown.is_empty())))
}

fn path(query: &Query) -> Result<&str, ApiError> {
    match query.text("path") {
        "" => Err(ApiError::invalid("invalid value for path: it must be given")),
        path => Ok(path),
    }
}

/// Adds what is at the path, as JSON in base64.
fn with_stat(mut response: Response, stat: PathStat) -> Response {
    let PathStat { name, size, mode, modified, link_target } = stat;
    let shown =
        api::container::PathStat { name, size, mode: go_mode(mode), mtime: modified.into(), link_target };
    let json = serde_json::to_vec(&shown).expect("answers are made of what JSON can say");
    let header = HeaderValue::try_from(STANDARD.encode(&json)).expect("base64 is plain text");
    response.headers_mut().insert("x-docker-container-path-stat", header);
    response
}

const TAR: HeaderValue = HeaderValue::from_static("application/x-tar");
