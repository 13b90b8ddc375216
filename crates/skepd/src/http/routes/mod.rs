//! All routes, one file per noun.

mod configs;
mod containers;
mod events;
mod images;
mod networks;
mod nodes;
mod secrets;
mod services;
mod swarm;
mod system;
mod tasks;
mod unbuilt;
mod volumes;

use std::sync::Arc;

use api::ApiError;
use axum::Router;

use crate::daemon::Daemon;
use crate::http::Failure;

/// What every route is handed.
type Shared = axum::extract::State<Arc<Daemon>>;

/// All routes.
pub(crate) fn all(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .merge(system::routes())
        .merge(events::routes())
        .merge(swarm::routes())
        .merge(nodes::routes())
        .merge(services::routes())
        .merge(tasks::routes())
        .merge(secrets::routes())
        .merge(configs::routes())
        .merge(networks::routes())
        .merge(images::routes())
        .merge(containers::routes())
        .merge(volumes::routes())
        .merge(unbuilt::routes())
        .fallback(page_not_found)
        .method_not_allowed_fallback(page_not_found)
        .with_state(daemon)
}

async fn page_not_found() -> Failure {
    ApiError::not_found("page not found").into()
}
