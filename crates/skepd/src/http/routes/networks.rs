//! Networks: the swarm's and this node's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::network::{self, NetworkConnect, NetworkCreate, NetworkCreated, NetworksPruned};
use api::{ApiError, Filters};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use control::leader::{self, Request};
use model::Network;
use model::network::{OVERLAY, PREDEFINED_LABEL};

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Json, Query, Spoken};
use crate::http::routes::Shared;
use crate::http::{older, respond};
use crate::standing::unfitting;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(create))
        .route("/networks/prune", post(prune))
        .route("/networks/{id}", get(inspect).delete(remove))
        .route("/networks/{id}/connect", post(connect))
        .route("/networks/{id}/disconnect", post(disconnect))
}

const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

async fn list(State(daemon): Shared, Spoken(version): Spoken, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    check(&filters)?;
    let mut shown = all(&daemon).await;
    let dangling = filters.truth("dangling")?;
    shown.retain(|network| {
        passes(&filters, network) && dangling.is_none_or(|wished| is_dangling(network) == wished)
    });
    // Who is in a network is told of one network only.
    shown.iter_mut().filter_map(|network| network.containers.as_mut()).for_each(BTreeMap::clear);
    Ok(respond::json(&shown.iter().map(|network| older::network(network, version)).collect::<Vec<_>>()))
}

fn check(filters: &Filters) -> Result<(), ApiError> {
    let known = |key: &str, words: &[&str]| match filters.values(key).find(|value| !words.contains(value)) {
        Some(value) => Err(ApiError::invalid(format!("invalid filter: '{key}'='{value}'"))),
        None => Ok(()),
    };
    known("type", &["builtin", "custom"])?;
    known("scope", &["local", "global", "swarm"])
}

fn passes(filters: &Filters, network: &network::Network) -> bool {
    let kind = if is_predefined(&network.name) { "builtin" } else { "custom" };
    filters.exact("driver", &network.driver)
        && filters.prefix("id", &network.id)
        && filters.any("name", |name| network.name.contains(name))
        && filters.labels("label", &network.labels)
        && filters.exact("scope", &network.scope)
        && filters.exact("type", kind)
}

fn is_dangling(network: &network::Network) -> bool {
    !is_predefined(&network.name) && network.containers.as_ref().is_none_or(BTreeMap::is_empty)
}

fn is_predefined(name: &str) -> bool {
    matches!(name, "bridge" | "host" | "none")
}

/// The swarm's networks first, then this node's. A node that is no manager knows only its own.
async fn all(daemon: &Daemon) -> Vec<network::Network> {
    let mut shown = match daemon.node.manager() {
        Ok(manager) => manager.state().await.map(|state| of_swarm(&state)).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    shown.extend(daemon.local_networks().await);
    shown
}

/// What every node has of its own is shown as this node's.
fn of_swarm(state: &store::State) -> Vec<network::Network> {
    let own = |network: &&Arc<Network>| !network.spec.annotations.labels.contains_key(PREDEFINED_LABEL);
    state.networks.iter().filter(own).map(|network| network::Network::from(&**network)).collect()
}

async fn inspect(
    State(daemon): Shared,
    Path(text): Path<String>,
    Spoken(version): Spoken,
    query: Query,
) -> Answer {
    let known = match query.text("scope") {
        "" => all(&daemon).await,
        "swarm" => of_services(&daemon).await,
        scope => all(&daemon).await.into_iter().filter(|network| network.scope == scope).collect(),
    };
    Ok(respond::json(&older::network(meant(&known, &text)?, version)))
}

/// All that services can be in: also what every node has of its own, by its id in the swarm.
async fn of_services(daemon: &Daemon) -> Vec<network::Network> {
    let Ok(manager) = daemon.node.manager() else { return Vec::new() };
    let Ok(state) = manager.state().await else { return Vec::new() };
    state.networks.iter().map(|network| network::Network::from(&**network)).collect()
}

/// By whole id, then by name, then by the first letters of an id.
fn meant<'a>(known: &'a [network::Network], text: &str) -> Result<&'a network::Network, ApiError> {
    let matching =
        |test: &dyn Fn(&network::Network) -> bool| known.iter().filter(|network| test(network)).collect();
    let ways: [Vec<&network::Network>; 3] = [
        matching(&|network| network.id == text),
        matching(&|network| network.name == text),
        matching(&|network| !text.is_empty() && network.id.starts_with(text)),
    ];
    match ways.iter().find(|found| !found.is_empty()).map(Vec::as_slice) {
        None => Err(ApiError::not_found(format!("network {text} not found"))),
        Some([only]) => Ok(only),
        Some(many) => {
            let count = many.len();
            Err(ApiError::invalid(format!(
                "{count} matches found based on name: network {text} is ambiguous"
            )))
        }
    }
}

async fn create(State(daemon): Shared, Json(request): Json<NetworkCreate>) -> Answer {
    if is_predefined(&request.name) {
        let message = format!("{} is a pre-defined network and cannot be created", request.name);
        return Err(ApiError::forbidden(message).into());
    }
    if request.driver != OVERLAY && request.scope != "swarm" {
        return Err(ApiError::not_built("networks of this node beside bridge, host and none").into());
    }
    if request.enable_ipv4 == Some(false) {
        return Err(ApiError::invalid("IPv4 cannot be disabled in a Swarm scoped network").into());
    }
    let manager = daemon.node.manager().map_err(|why| only_managers(&daemon, why))?;
    if manager.state().await?.networks.named(&request.name).next().is_some() {
        return Err(ApiError::conflict(format!("network with name {} already exists", request.name)).into());
    }
    let request = Request::CreateNetwork(Box::new(request.into_model()));
    let leader::Answer::Network(network) = manager.ask(request).await? else {
        return Err(unfitting().into());
    };
    let created = NetworkCreated { id: network.id.to_string(), warning: String::new() };
    Ok(respond::json_with(StatusCode::CREATED, &created))
}

fn only_managers(daemon: &Daemon, why: ApiError) -> ApiError {
    match daemon.node.standing() {
        crate::standing::Standing::Worker(_) => ApiError::forbidden(
            "Cannot create a multi-host network from a worker node. Please create the network from a manager node.",
        ),
        _ => ApiError::forbidden(why.message),
    }
}

async fn remove(State(daemon): Shared, Path(text): Path<String>) -> Answer {
    let known = all(&daemon).await;
    let network = meant(&known, &text)?;
    if network.scope != "swarm" {
        let message = format!("{} is a pre-defined network and cannot be removed", network.name);
        return Err(ApiError::forbidden(message).into());
    }
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Network>(&state, &network.id)?.id;
    manager.ask(Request::RemoveNetwork(id)).await?;
    Ok(respond::no_content())
}

/// Tries to remove each network of the swarm that passes; what is in use refuses, and stays.
async fn prune(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(&["label", "label!", "until"])?;
    let mut networks_deleted = Vec::new();
    let Ok(manager) = daemon.node.manager() else { return Ok(respond::json(&NetworksPruned::default())) };
    let state = manager.state().await?;
    for network in state.networks.iter().filter(|network| !network.is_ingress()) {
        let annotations = &network.spec.annotations;
        let kept = annotations.labels.contains_key(PREDEFINED_LABEL)
            || !filters.labels("label", &annotations.labels)
            || (filters.has("label!") && filters.labels("label!", &annotations.labels));
        if !kept && manager.ask(Request::RemoveNetwork(network.id)).await.is_ok() {
            networks_deleted.push(annotations.name.clone());
        }
    }
    daemon.tell_pruned("network", 0);
    Ok(respond::json(&NetworksPruned { networks_deleted }))
}

async fn connect(Json(_): Json<NetworkConnect>) -> Answer {
    Err(ApiError::not_built("connecting containers to more networks").into())
}

async fn disconnect(Json(_): Json<NetworkConnect>) -> Answer {
    Err(ApiError::not_built("disconnecting containers from networks").into())
}
