//! Configs of the swarm.

use std::sync::Arc;

use api::Filters;
use api::config::{self, ConfigSpec};
use api::meta::Created;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use control::leader::{self, Request};
use model::Config;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Json, Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;
use crate::standing::unfitting;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/configs", get(list))
        .route("/configs/create", post(create))
        .route("/configs/{id}", get(inspect).delete(remove))
        .route("/configs/{id}/update", post(update))
}

const FILTERS: &[&str] = &["id", "label", "name"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let state = daemon.node.manager()?.state().await?;
    let configs = state.configs.iter().filter(|config| passes(&filters, config));
    Ok(respond::json(&configs.map(|config| config::Config::from(&**config)).collect::<Vec<_>>()))
}

fn passes(filters: &Filters, config: &Config) -> bool {
    let annotations = &config.spec.annotations;
    filters.prefix("id", config.id.as_str())
        && filters.prefix("name", &annotations.name)
        && filters.labels("label", &annotations.labels)
}

async fn create(State(daemon): Shared, Spoken(version): Spoken, Json(spec): Json<ConfigSpec>) -> Answer {
    let spec = spec.into_model(version)?;
    let request = Request::CreateConfig(Box::new(spec));
    let leader::Answer::Config(config) = daemon.node.manager()?.ask(request).await? else {
        return Err(unfitting().into());
    };
    Ok(respond::json_with(StatusCode::CREATED, &Created { id: config.id.to_string() }))
}

async fn inspect(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    Ok(respond::json(&config::Config::from(&**find::<Config>(&state, &id)?)))
}

async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(spoken): Spoken,
    query: Query,
    Json(spec): Json<ConfigSpec>,
) -> Answer {
    let version = query.version_of("config")?;
    let spec = Box::new(spec.into_model(spoken)?);
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Config>(&state, &id)?.id;
    manager.ask(Request::UpdateConfig { id, version, spec }).await?;
    Ok(respond::ok())
}

async fn remove(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Config>(&state, &id)?.id;
    manager.ask(Request::RemoveConfig(id)).await?;
    Ok(respond::no_content())
}
