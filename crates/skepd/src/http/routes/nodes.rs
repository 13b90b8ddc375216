//! Nodes of the swarm.

use std::sync::Arc;

use api::node::{self, NodeSpec};
use api::{ApiError, Filters};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use control::leader::Request;
use model::node::{Membership, Node};

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Json, Query};
use crate::http::respond;
use crate::http::routes::Shared;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/nodes", get(list))
        .route("/nodes/{id}", get(inspect).delete(remove))
        .route("/nodes/{id}/update", post(update))
}

const FILTERS: &[&str] = &["id", "label", "membership", "name", "node.label", "role"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    check(&filters)?;
    let state = daemon.node.manager()?.state().await?;
    let nodes = state.nodes.iter().filter(|node| passes(&filters, node));
    Ok(respond::json(&nodes.map(|node| node::Node::from(&**node)).collect::<Vec<_>>()))
}

fn check(filters: &Filters) -> Result<(), ApiError> {
    let known = |key: &str, words: [&str; 2]| match filters.values(key).find(|value| !words.contains(value)) {
        Some(value) => Err(ApiError::internal(format!("Invalid {key} filter: '{value}'"))),
        None => Ok(()),
    };
    known("role", ["worker", "manager"])?;
    known("membership", ["accepted", "pending"])
}

fn passes(filters: &Filters, node: &Node) -> bool {
    let membership = match node.spec.membership {
        Membership::Accepted => "accepted",
        Membership::Pending => "pending",
    };
    let no_labels = Default::default();
    let engine = node.description.as_ref().and_then(|description| description.engine.as_ref());
    let engine_labels = engine.map_or(&no_labels, |engine| &engine.labels);
    filters.prefix("id", node.id.as_str())
        && filters.any("name", |name| node.name().to_lowercase().starts_with(&name.to_lowercase()))
        && filters.exact("role", node::role_word(node.role))
        && filters.exact("membership", membership)
        && filters.labels("label", engine_labels)
        && filters.labels("node.label", &node.spec.annotations.labels)
}

async fn inspect(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    Ok(respond::json(&node::Node::from(&**find::<Node>(&state, &id)?)))
}

async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    Json(spec): Json<NodeSpec>,
) -> Answer {
    let version = query.version_of("node")?;
    let spec = spec.into_model()?;
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Node>(&state, &id)?.id;
    manager.ask(Request::UpdateNode { id, version, spec }).await?;
    Ok(respond::ok())
}

async fn remove(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Node>(&state, &id)?.id;
    manager.ask(Request::RemoveNode { id, force: query.truth("force") }).await?;
    Ok(respond::ok())
}
