//! The swarm itself.

use std::sync::Arc;

use api::ApiError;
use api::node::TlsInfo;
use api::swarm::{InitRequest, JoinRequest, Swarm, SwarmSpec, UnlockKey};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use control::leader::{Request, Rotation};
use model::Cluster;
use model::cluster::{DEFAULT_CLUSTER, RootCa, UNLOCK_SUBSYSTEM};
use model::node::NodeTlsInfo;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::request::{Json, MaybeJson, Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;
use crate::standing::Farewell;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/swarm", get(inspect))
        .route("/swarm/init", post(init))
        .route("/swarm/join", post(join))
        .route("/swarm/leave", post(leave))
        .route("/swarm/update", post(update))
        .route("/swarm/unlockkey", get(unlock_key))
        .route("/swarm/unlock", post(unlock))
        .route("/swarm/{other}", axum::routing::any(other))
}

async fn other(Path(_): Path<String>) -> Answer {
    Err(ApiError::not_found("page not found").into())
}

async fn init(
    State(daemon): Shared,
    Spoken(version): Spoken,
    Json(mut request): Json<InitRequest>,
) -> Answer {
    if version < api::ApiVersion::v(39) {
        request.default_addr_pool.clear();
        request.subnet_size = 0;
    }
    if version < api::ApiVersion::v(40) {
        request.data_path_port = 0;
    }
    check_name(&request.spec)?;
    Ok(respond::json(&daemon.node.init(request).await?))
}

/// Only the one name is known.
fn check_name(spec: &SwarmSpec) -> Result<(), ApiError> {
    match spec.name.as_str() {
        "" | DEFAULT_CLUSTER => Ok(()),
        _ => Err(ApiError::invalid("swarm spec must be named \"default\"")),
    }
}

async fn join(State(daemon): Shared, Json(request): Json<JoinRequest>) -> Answer {
    if request.remote_addrs.is_empty() {
        return Err(ApiError::invalid("at least 1 RemoteAddr is required to join").into());
    }
    daemon.node.join(request).await?;
    Ok(respond::ok())
}

async fn leave(State(daemon): Shared, query: Query) -> Answer {
    let farewell = if query.truth("force") { Farewell::Forced } else { Farewell::Careful };
    daemon.node.leave(farewell).await?;
    Ok(respond::ok())
}

async fn inspect(State(daemon): Shared) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    let cluster = cluster(&state)?;
    Ok(respond::json(&Swarm::with_tokens(cluster, tls_info(cluster))))
}

/// What certificates hang on: the root that is trusted, and the one that signs. They differ while one root follows
/// another; by the second, clients see how far that has come.
pub(super) fn tls_info(cluster: &Cluster) -> TlsInfo {
    let RootCa { ca_cert, root_rotation, .. } = &cluster.root_ca;
    let signs = root_rotation.as_ref().map_or(ca_cert, |rotation| &rotation.ca_cert);
    let issuer = pki::Roots::from_pem(signs).map(|roots| roots.as_issuer()).unwrap_or_default();
    TlsInfo::from(&NodeTlsInfo { trust_root: ca_cert.clone(), ..issuer })
}

fn cluster(state: &store::State) -> Result<&Arc<Cluster>, ApiError> {
    state.cluster().ok_or_else(|| ApiError::unavailable("the swarm is being founded"))
}

async fn update(State(daemon): Shared, query: Query, Json(spec): Json<SwarmSpec>) -> Answer {
    let version = query.version_of("swarm")?;
    check_name(&spec)?;
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let cluster = cluster(&state)?;
    let rotation = rotation(&query, cluster)?;
    let spec = Box::new(spec.into_model()?);
    manager.ask(Request::UpdateCluster { id: cluster.id, version, spec, rotation }).await?;
    Ok(respond::ok())
}

/// Draws what the client wishes anew, and an unlock key in any case: autolock may begin with this update.
fn rotation(query: &Query, cluster: &Cluster) -> Result<Rotation, ApiError> {
    let mut chance = host::chance::chance().map_err(|error| ApiError::internal(error.to_string()))?;
    let mut token = |key: &str| {
        query
            .truth(key)
            .then(|| pki::token::JoinToken::random(&cluster.root_ca.ca_cert, &mut chance).to_string())
    };
    let (worker_token, manager_token) = (token("rotateWorkerToken"), token("rotateManagerToken"));
    Ok(Rotation {
        worker_token,
        manager_token,
        unlock_key: Some(pki::unlock::UnlockKey::random(&mut chance).as_bytes().to_vec()),
        rotate_unlock_key: query.truth("rotateManagerUnlockKey"),
        authority: None,
    })
}

async fn unlock_key(State(daemon): Shared) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    let keys = &cluster(&state)?.unlock_keys;
    let key = keys.iter().find(|key| key.subsystem == UNLOCK_SUBSYSTEM);
    let text = key.and_then(|key| pki::unlock::UnlockKey::from_bytes(&key.key).ok());
    Ok(respond::json(&UnlockKey { unlock_key: text.map(|key| key.to_string()).unwrap_or_default() }))
}

async fn unlock(State(daemon): Shared, MaybeJson(key): MaybeJson<UnlockKey>) -> Answer {
    daemon.node.unlock(key.unlock_key).await?;
    Ok(respond::ok())
}
