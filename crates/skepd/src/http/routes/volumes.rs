//! Volumes of this node.

use std::sync::Arc;

use api::volume::{self, VolumeCreate, VolumeList, VolumesPruned};
use api::{ApiError, ApiVersion, Filters};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use runtime::volume::{Volume, VolumeError, VolumeWish};

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::request::{MaybeJson, Query, Spoken};
use crate::http::respond;
use crate::http::routes::Shared;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/prune", post(prune))
        .route("/volumes/{name}", get(inspect).delete(remove).put(update))
}

const FILTERS: &[&str] = &["dangling", "driver", "label", "name"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let dangling = filters.truth("dangling")?;
    let unused = |volume: &Volume| daemon.containers.users_of_volume(&volume.name).is_empty();
    let mut volumes = daemon.containers.volumes().list();
    volumes
        .retain(|volume| passes(&filters, volume) && dangling.is_none_or(|wished| unused(volume) == wished));
    let volumes = volumes.into_iter().map(shown).collect();
    Ok(respond::json(&VolumeList { volumes, warnings: Vec::new() }))
}

fn passes(filters: &Filters, volume: &Volume) -> bool {
    filters.any("name", |name| volume.name.contains(name))
        && filters.exact("driver", "local")
        && filters.labels("label", &volume.labels)
}

/// A volume as users see it.
pub(super) fn shown(volume: Volume) -> volume::Volume {
    let created_at = api::Time::from(volume.created()).to_string();
    let Volume { name, created_nanos: _, labels, options, anonymous: _, mountpoint } = volume;
    volume::Volume {
        created_at,
        driver: "local".to_owned(),
        labels,
        mountpoint: mountpoint.display().to_string(),
        name,
        options,
        scope: "local".to_owned(),
        usage_data: None,
    }
}

/// How many bytes a volume takes; nothing if that cannot be told. Reads all its folders, where that holds nobody up.
pub(super) async fn bytes(daemon: &Daemon, name: &str) -> Option<u64> {
    let (containers, name) = (daemon.containers.clone(), name.to_owned());
    let measured = tokio::task::spawn_blocking(move || containers.volumes().bytes(&name).ok());
    measured.await.ok().flatten()
}

async fn create(State(daemon): Shared, MaybeJson(request): MaybeJson<VolumeCreate>) -> Answer {
    let VolumeCreate { name, driver, driver_opts, labels, cluster_volume_spec } = request;
    if cluster_volume_spec.is_some() {
        return Err(ApiError::not_built("volumes of the swarm").into());
    }
    let wish = VolumeWish { name, driver, options: driver_opts, labels };
    let volume = daemon.containers.volumes().create(wish)?;
    daemon.tell_volume("create", &volume.name);
    Ok(respond::json_with(StatusCode::CREATED, &shown(volume)))
}

async fn inspect(State(daemon): Shared, Path(name): Path<String>) -> Answer {
    Ok(respond::json(&shown(daemon.containers.volumes().inspect(&name)?)))
}

async fn remove(State(daemon): Shared, Path(name): Path<String>, query: Query) -> Answer {
    match remove_one(&daemon, &name) {
        // Force means only that it may be gone already.
        Err(VolumeError::NotFound(_)) if query.truth("force") => {}
        other => other?,
    }
    Ok(respond::no_content())
}

fn remove_one(daemon: &Daemon, name: &str) -> Result<(), VolumeError> {
    let users = daemon.containers.users_of_volume(name);
    if !users.is_empty() {
        let users = users.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(VolumeError::InUse { name: name.to_owned(), users });
    }
    daemon.containers.volumes().remove(name)?;
    daemon.tell_volume("destroy", name);
    Ok(())
}

/// Removes those without a name that nobody uses; with the filter `all`, and for clients before 1.42, those with a name
/// too.
async fn prune(State(daemon): Shared, Spoken(version): Spoken, query: Query) -> Answer {
    let filters = query.filters(&["all", "label", "label!"])?;
    let all = filters.truth("all")?.unwrap_or(version < ApiVersion::v(42));
    let mut pruned = VolumesPruned::default();
    for volume in daemon.containers.volumes().list() {
        let passes = (all || volume.anonymous)
            && filters.labels("label", &volume.labels)
            && !(filters.has("label!") && filters.labels("label!", &volume.labels));
        if !passes || !daemon.containers.users_of_volume(&volume.name).is_empty() {
            continue;
        }
        let bytes = bytes(&daemon, &volume.name).await;
        if remove_one(&daemon, &volume.name).is_ok() {
            pruned.volumes_deleted.push(volume.name);
            pruned.space_reclaimed += bytes.unwrap_or(0);
        }
    }
    daemon.tell_pruned("volume", pruned.space_reclaimed);
    Ok(respond::json(&pruned))
}

async fn update(State(daemon): Shared, Path(_): Path<String>) -> Answer {
    match daemon.node.manager() {
        Ok(_) => Err(ApiError::not_built("volumes of the swarm").into()),
        Err(_) => {
            let message = "volume update only valid for cluster volumes, but swarm is unavailable";
            Err(ApiError::unavailable(message).into())
        }
    }
}
