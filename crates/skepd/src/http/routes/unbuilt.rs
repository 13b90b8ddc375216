//! What the API has and this daemon has not: answered with 501 and the name of what is missing.

use std::sync::Arc;

use api::ApiError;
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;

use crate::daemon::Daemon;
use crate::http::{Failure, respond};

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/build", post(|| missing("building images")))
        .route("/build/prune", post(async || respond::json(&BuildPruned::default())))
        .route("/build/cancel", post(|| missing("building images")))
        .route("/commit", post(|| missing("making images of containers")))
        .route("/session", post(|| missing("building images")))
        .route("/grpc", post(|| missing("building images")))
        .route("/images/search", get(|| missing("searching registries")))
        .route("/plugins", get(async || respond::json(&Vec::<String>::new())))
        .route("/plugins/privileges", any("plugins"))
        .route("/plugins/pull", any("plugins"))
        .route("/plugins/create", any("plugins"))
        .route("/plugins/{*rest}", any("plugins"))
}

/// What is never built leaves nothing behind.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BuildPruned {
    caches_deleted: Option<Vec<String>>,
    space_reclaimed: u64,
}

fn any(what: &'static str) -> MethodRouter<Arc<Daemon>> {
    axum::routing::any(move || missing(what))
}

async fn missing(what: &'static str) -> Failure {
    ApiError::not_built(what).into()
}
