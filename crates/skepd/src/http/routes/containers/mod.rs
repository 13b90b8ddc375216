//! Containers of this node.

mod attach;
mod create;
mod describe;
mod exec;
mod files;
mod life;
mod list;
mod mounts;
mod show;
mod size;
mod update;
mod watch;

use std::sync::Arc;

use api::ApiError;
use axum::Router;
use axum::routing::{get, post};

use crate::daemon::Daemon;
use crate::http::Failure;

pub(super) use list::{Measured, summaries};
pub(super) use show::runtime_name;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/containers/json", get(list::list))
        .route("/containers/create", post(create::create))
        .route("/containers/prune", post(life::prune))
        .route("/containers/{id}", axum::routing::delete(life::remove))
        .route("/containers/{id}/json", get(show::inspect))
        .route("/containers/{id}/logs", get(watch::logs))
        .route("/containers/{id}/stats", get(watch::stats))
        .route("/containers/{id}/top", get(watch::top))
        .route("/containers/{id}/start", post(life::start))
        .route("/containers/{id}/stop", post(life::stop))
        .route("/containers/{id}/restart", post(life::restart))
        .route("/containers/{id}/kill", post(life::kill))
        .route("/containers/{id}/pause", post(life::pause))
        .route("/containers/{id}/unpause", post(life::unpause))
        .route("/containers/{id}/wait", post(life::wait))
        .route("/containers/{id}/rename", post(life::rename))
        .route("/containers/{id}/resize", post(life::resize))
        .route("/containers/{id}/attach", post(attach::attach))
        .route("/containers/{id}/attach/ws", get(|| missing("attaching by websocket")))
        .route("/containers/{id}/exec", post(exec::create))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/resize", post(exec::resize))
        .route("/exec/{id}/json", get(exec::inspect))
        .route("/containers/{id}/update", post(update::update))
        .route("/containers/{id}/changes", get(files::changes))
        .route("/containers/{id}/export", get(files::export))
        .route("/containers/{id}/archive", get(files::take_out).head(files::stat).put(files::put_in))
}

async fn missing(what: &'static str) -> Failure {
    ApiError::not_built(what).into()
}
