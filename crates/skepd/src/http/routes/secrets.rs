//! Secrets of the swarm.

use std::sync::Arc;

use api::Filters;
use api::meta::Created;
use api::secret::{self, SecretSpec};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use control::leader::{self, Request};
use model::Secret;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Json, Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;
use crate::standing::unfitting;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/secrets", get(list))
        .route("/secrets/create", post(create))
        .route("/secrets/{id}", get(inspect).delete(remove))
        .route("/secrets/{id}/update", post(update))
}

const FILTERS: &[&str] = &["id", "label", "name", "names"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let state = daemon.node.manager()?.state().await?;
    let secrets = state.secrets.iter().filter(|secret| passes(&filters, secret));
    Ok(respond::json(&secrets.map(|secret| secret::Secret::from(&**secret)).collect::<Vec<_>>()))
}

fn passes(filters: &Filters, secret: &Secret) -> bool {
    let annotations = &secret.spec.annotations;
    filters.prefix("id", secret.id.as_str())
        && filters.prefix("name", &annotations.name)
        && filters.exact("names", &annotations.name)
        && filters.labels("label", &annotations.labels)
}

async fn create(State(daemon): Shared, Spoken(version): Spoken, Json(spec): Json<SecretSpec>) -> Answer {
    let spec = spec.into_model(version)?;
    let request = Request::CreateSecret(Box::new(spec));
    let leader::Answer::Secret(secret) = daemon.node.manager()?.ask(request).await? else {
        return Err(unfitting().into());
    };
    Ok(respond::json_with(StatusCode::CREATED, &Created { id: secret.id.to_string() }))
}

async fn inspect(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    Ok(respond::json(&secret::Secret::from(&**find::<Secret>(&state, &id)?)))
}

async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(spoken): Spoken,
    query: Query,
    Json(spec): Json<SecretSpec>,
) -> Answer {
    let version = query.version_of("secret")?;
    let spec = Box::new(spec.into_model(spoken)?);
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Secret>(&state, &id)?.id;
    manager.ask(Request::UpdateSecret { id, version, spec }).await?;
    Ok(respond::ok())
}

async fn remove(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Secret>(&state, &id)?.id;
    manager.ask(Request::RemoveSecret(id)).await?;
    Ok(respond::no_content())
}
