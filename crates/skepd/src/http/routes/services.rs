//! Services of the swarm.

use std::sync::Arc;

use api::service::{self, ServiceCreated, ServiceSpec, ServiceStatus, ServiceUpdated};
use api::spec::update::UpdateConfig;
use api::{ApiError, ApiVersion, Filters};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use control::leader::{self, Request, Rollback};
use manager::services::LogSelector;
use model::spec::container::RegistryAuth;
use model::spec::endpoint::NetworkAttachmentConfig;
use model::{Network, Runtime, Service, ServiceMode, TaskState, spec};

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::find::find;
use crate::http::request::{Json, Query, Spoken};
use crate::http::respond;
use crate::http::routes::{Shared, tasks};
use crate::http::task_logs;
use crate::standing::{Manager, unfitting};

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/services", get(list))
        .route("/services/create", post(create))
        .route("/services/{id}", get(inspect).delete(remove))
        .route("/services/{id}/update", post(update))
        .route("/services/{id}/logs", get(logs))
}

const FILTERS: &[&str] = &["id", "label", "mode", "name", "runtime"];

async fn list(State(daemon): Shared, Spoken(version): Spoken, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let state = daemon.node.manager()?.state().await?;
    let counted = version >= ApiVersion::v(41) && query.truth("status");
    let services = state.services.iter().filter(|service| passes(&filters, service));
    let shown = services.map(|service| {
        let service_status = counted.then(|| status(&state, service));
        service::Service { service_status, ..service::Service::from(&**service) }
    });
    Ok(respond::json(&shown.collect::<Vec<_>>()))
}

fn passes(filters: &Filters, service: &Service) -> bool {
    let annotations = &service.spec.annotations;
    let mode = match service.spec.mode {
        ServiceMode::Replicated { .. } => "replicated",
        ServiceMode::Global => "global",
        ServiceMode::ReplicatedJob { .. } => "replicated-job",
        ServiceMode::GlobalJob => "global-job",
    };
    let runtime = match &service.spec.task.runtime {
        Runtime::Container(_) => "container",
        Runtime::Attachment(_) => "attachment",
        Runtime::Generic(generic) => &generic.kind,
    };
    filters.prefix("id", service.id.as_str())
        && filters.any("name", |name| annotations.name.to_lowercase().starts_with(&name.to_lowercase()))
        && filters.labels("label", &annotations.labels)
        && filters.exact("mode", mode)
        && filters.exact("runtime", runtime)
}

/// How many tasks of a service run, shall run, and are done (`control.md` section 11).
fn status(state: &store::State, service: &Service) -> ServiceStatus {
    let job = service.job_status.map(|status| status.job_iteration);
    let tasks = || state.tasks_of(service.id).filter(|task| job.is_none() || task.job_iteration == job);
    let count = |test: fn(&model::Task) -> bool| tasks().filter(|task| test(task)).count() as u64;
    let running = count(|task| task.status.state == TaskState::Running);
    let completed = count(|task| task.status.state == TaskState::Complete);
    let desired = match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicas,
        ServiceMode::Global => count(|task| task.desired_state == TaskState::Running),
        ServiceMode::ReplicatedJob { max_concurrent, total_completions: _ } => max_concurrent,
        ServiceMode::GlobalJob => count(|task| task.desired_state == TaskState::Complete),
    };
    let completed_tasks = if job.is_some() { completed } else { 0 };
    ServiceStatus { running_tasks: running, desired_tasks: desired, completed_tasks }
}

async fn create(
    State(daemon): Shared,
    Spoken(version): Spoken,
    headers: HeaderMap,
    Json(mut spec): Json<ServiceSpec>,
) -> Answer {
    spec.adjust(version);
    let mut spec = into_model(spec)?;
    set_credentials(&mut spec, credentials(&headers)?);
    let manager = daemon.node.manager()?;
    name_networks(&mut spec, &manager, &daemon.id).await?;
    let request = Request::CreateService(Box::new(spec));
    let leader::Answer::Service(service) = manager.ask(request).await? else {
        return Err(unfitting().into());
    };
    let created = ServiceCreated { id: service.id.to_string(), warnings: Vec::new() };
    Ok(respond::json_with(StatusCode::CREATED, &created))
}

async fn inspect(State(daemon): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let state = daemon.node.manager()?.state().await?;
    let service = find::<Service>(&state, &id)?;
    let mut shown = service::Service::from(&**service);
    if query.truth("insertDefaults") {
        insert_defaults(&mut shown.spec, &service.spec);
    }
    Ok(respond::json(&shown))
}

/// Shows what holds where the spec says nothing.
fn insert_defaults(shown: &mut ServiceSpec, spec: &model::ServiceSpec) {
    let update = || UpdateConfig::from(&spec::update::UpdateConfig::default());
    let task = &mut shown.task_template;
    if let Some(container) = &mut task.container_spec {
        let grace = api::time::nanos(model::limits::STOP_GRACE_DEFAULT);
        container.stop_grace_period.get_or_insert(grace);
        container.dns_config.get_or_insert_default();
    }
    task.resources.get_or_insert_default();
    let restart = task.restart_policy.get_or_insert_with(|| api::spec::task::RestartPolicy {
        condition: "any".to_owned(),
        max_attempts: Some(0),
        ..Default::default()
    });
    restart.delay.get_or_insert(api::time::nanos(spec::restart::DELAY_DEFAULT));
    task.placement.get_or_insert_default();
    let is_job = matches!(spec.mode, ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob);
    if !is_job {
        shown.update_config.get_or_insert_with(update);
        shown.rollback_config.get_or_insert_with(update);
    }
    let endpoint = shown.endpoint_spec.get_or_insert_default();
    if endpoint.mode.is_empty() {
        "vip".clone_into(&mut endpoint.mode);
    }
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the request that axum takes apart")]
async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(spoken): Spoken,
    query: Query,
    headers: HeaderMap,
    Json(mut spec): Json<ServiceSpec>,
) -> Answer {
    let version = query.version_of("service")?;
    let rollback = match query.text("rollback") {
        "" | "none" => Rollback::None,
        "previous" => Rollback::Previous,
        other => return Err(ApiError::invalid(format!("unrecognized rollback option {other}")).into()),
    };
    spec.adjust(spoken);
    let mut spec = into_model(spec)?;
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let service = find::<Service>(&state, &id)?;
    let credentials = match credentials(&headers)? {
        RegistryAuth(text) if text.is_empty() => kept_credentials(service, query.text("registryAuthFrom"))?,
        given => given,
    };
    set_credentials(&mut spec, credentials);
    name_networks(&mut spec, &manager, &daemon.id).await?;
    let request = Request::UpdateService { id: service.id, version, spec: Box::new(spec), rollback };
    manager.ask(request).await?;
    Ok(respond::json(&ServiceUpdated::default()))
}

async fn remove(State(daemon): Shared, Path(id): Path<String>) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let id = find::<Service>(&state, &id)?.id;
    manager.ask(Request::RemoveService(id)).await?;
    Ok(respond::ok())
}

async fn logs(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    query: Query,
) -> Answer {
    let manager = daemon.node.manager()?;
    let state = manager.state().await?;
    let service = find::<Service>(&state, &id)?;
    let selector = LogSelector { service_ids: vec![service.id.to_string()], ..LogSelector::default() };
    let framing = tasks::framing(&service.spec.task);
    task_logs::answer(&manager, selector, &query, (framing, version)).await
}

fn into_model(spec: ServiceSpec) -> Result<model::ServiceSpec, ApiError> {
    let mut chance = host::chance::chance().map_err(|error| ApiError::internal(error.to_string()))?;
    spec.into_model(&mut chance)
}

/// The credentials of the request: kept as they came.
fn credentials(headers: &HeaderMap) -> Result<RegistryAuth, ApiError> {
    let Some(value) = headers.get("x-registry-auth") else { return Ok(RegistryAuth::default()) };
    let text = value.to_str().map_err(|_| ApiError::invalid("invalid X-Registry-Auth header: not base64"))?;
    Ok(RegistryAuth(text.to_owned()))
}

/// The credentials that a service has already.
fn kept_credentials(service: &Service, from: &str) -> Result<RegistryAuth, ApiError> {
    let spec = match from {
        "" | "spec" => &service.spec,
        "previous-spec" => service
            .previous_spec
            .as_deref()
            .ok_or_else(|| ApiError::internal("service does not have a previous spec"))?,
        _ => return Err(ApiError::invalid("unsupported registryAuthFrom value")),
    };
    Ok(spec.task.container().map(|container| container.registry_auth.clone()).unwrap_or_default())
}

fn set_credentials(spec: &mut model::ServiceSpec, credentials: RegistryAuth) {
    if let Runtime::Container(container) = &mut spec.task.runtime {
        container.registry_auth = credentials;
    }
}

/// Puts ids in the place of networks' names.
async fn name_networks(
    spec: &mut model::ServiceSpec,
    manager: &Manager,
    machine: &str,
) -> Result<(), ApiError> {
    if spec.task.networks.is_empty() && spec.networks.is_empty() {
        return Ok(()); // Most services name none, and need not wait for the book.
    }
    let state = manager.state().await?;
    let mut wishes = spec.task.networks.iter_mut().chain(&mut spec.networks);
    wishes.try_for_each(|wish| name_network(wish, &state, machine))
}

fn name_network(
    wish: &mut NetworkAttachmentConfig,
    state: &store::State,
    machine: &str,
) -> Result<(), ApiError> {
    // What every node has of its own has another id in the swarm than on this node.
    let own = OWN_NETWORKS.into_iter().find(|name| network::network_id(machine, name) == wish.target);
    let target = own.unwrap_or(&wish.target);
    let network = find::<Network>(state, target).map_err(|error| {
        if !OWN_NETWORKS.contains(&target) {
            return error;
        }
        ApiError::forbidden(format!(
            "The network {target} cannot be used with services. Only networks scoped to the swarm can be used, \
             such as those created with the overlay driver."
        ))
    })?;
    wish.target = network.id.to_string();
    Ok(())
}

/// What every node may have of its own.
const OWN_NETWORKS: [&str; 4] = ["bridge", "host", "none", "docker_gwbridge"];
