//! Services: created, changed, taken back, removed (`control.md` section 11).

use std::sync::Arc;

use model::name::check_dns;
use model::service::{JobStatus, UpdateState, UpdateStatus};
use model::spec::endpoint::{EndpointSpec, PortConfig, PublishMode, ResolutionMode};
use model::spec::update::UpdateConfig;
use model::{Cx, Meta, Refusal, RefusalKind, Runtime, Service, ServiceId, ServiceSpec, TaskSpec, Version};
use store::{Draft, State};

use super::{check_version, container, not_now, references, unbuilt};
use crate::leader::orchestrate::place::is_job;
use crate::leader::request::{Answer, Rollback};

/// Creates a service, unless its spec breaks a rule or its name or a port is taken.
pub(super) fn create(draft: &mut Draft, spec: ServiceSpec, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    check_spec(&spec)?;
    references::check(draft, &spec)?;
    check_ports_free(draft, &spec, None)?;
    let name = &spec.annotations.name;
    if draft.services.named(name).next().is_some() {
        let message = format!("name conflicts with an existing object: service {name} already exists");
        return Err(Refusal::new(RefusalKind::AlreadyExists, message));
    }
    let job_status = is_job(&spec.mode)
        .then(|| JobStatus { job_iteration: Version::default(), last_execution: Some(cx.now) });
    let id = ServiceId::random(cx.chance);
    draft.create(Service {
        id,
        meta: Meta::default(),
        spec,
        spec_version: Some(Version::default()),
        previous_spec: None,
        previous_spec_version: None,
        endpoint: None,
        update_status: None,
        pending_delete: false,
        job_status,
    });
    answer(draft, id)
}

/// Gives a service another spec, or its previous one.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (ServiceId, Version),
    spec: ServiceSpec,
    rollback: Rollback,
) -> Result<Answer, Refusal> {
    let service = draft.services.get(id).cloned().ok_or_else(|| Refusal::not_found("service", id))?;
    check_version(&service.meta, version)?;
    let next = match rollback {
        Rollback::None => renewed(draft, &service, spec)?,
        Rollback::Previous => taken_back(draft, &service)?,
    };
    draft.update(next);
    answer(draft, id)
}

/// Removes a service at once; its tasks follow.
pub(super) fn remove(draft: &mut Draft, id: ServiceId) -> Result<Answer, Refusal> {
    let service = draft.services.get(id).cloned().ok_or_else(|| Refusal::not_found("service", id))?;
    draft.remove(&service);
    Ok(Answer::Done)
}

fn answer(draft: &Draft, id: ServiceId) -> Result<Answer, Refusal> {
    let service = draft.services.get(id).expect("it was drafted a moment ago");
    Ok(Answer::Service(Arc::clone(service)))
}

fn renewed(draft: &Draft, service: &Service, spec: ServiceSpec) -> Result<Service, Refusal> {
    check_spec(&spec)?;
    references::check(draft, &spec)?;
    check_ports_free(draft, &spec, Some(service.id))?;
    if std::mem::discriminant(&spec.mode) != std::mem::discriminant(&service.spec.mode) {
        return Err(unbuilt("service mode change is not allowed"));
    }
    if spec.annotations.name != service.spec.annotations.name {
        return Err(unbuilt("renaming services is not supported"));
    }
    let old_networks = &service.spec.networks;
    let migrated = spec.networks.is_empty() && !spec.task.networks.is_empty();
    if (!old_networks.is_empty() || !spec.networks.is_empty()) && spec.networks != *old_networks && !migrated
    {
        return Err(unbuilt("networks must be migrated to TaskSpec before being changed"));
    }
    let job_status = service.job_status.map(|job| JobStatus {
        job_iteration: Version { index: job.job_iteration.index + 1 },
        last_execution: Some(draft.now()),
    });
    Ok(Service {
        previous_spec: Some(Box::new(service.spec.clone())),
        previous_spec_version: service.spec_version,
        spec,
        spec_version: Some(service.meta.version),
        update_status: None,
        job_status,
        ..service.clone()
    })
}

/// The service with what it wished before.
fn taken_back(draft: &Draft, service: &Service) -> Result<Service, Refusal> {
    let id = service.id;
    let Some(previous) = service.previous_spec.clone() else {
        return Err(not_now(format!("service {id} does not have a previous spec")));
    };
    Ok(Service {
        spec: *previous,
        spec_version: service.previous_spec_version,
        previous_spec: Some(Box::new(service.spec.clone())),
        previous_spec_version: service.spec_version,
        update_status: Some(UpdateStatus {
            state: UpdateState::RollbackStarted,
            started_at: Some(draft.now()),
            completed_at: None,
            message: "manually requested rollback".to_owned(),
        }),
        ..service.clone()
    })
}

/// Judges a spec by itself.
fn check_spec(spec: &ServiceSpec) -> Result<(), Refusal> {
    check_dns(&spec.annotations.name)?;
    check_task(&spec.task)?;
    if is_job(&spec.mode) {
        return check_job(spec);
    }
    for config in [&spec.update, &spec.rollback].into_iter().flatten() {
        check_update(config)?;
    }
    spec.endpoint.as_ref().map_or(Ok(()), check_endpoint)
}

fn check_task(task: &TaskSpec) -> Result<(), Refusal> {
    container::check_resources(task)?;
    for constraint in task.placement.iter().flat_map(|placement| &placement.constraints) {
        model::constraint::Constraint::parse(constraint)?;
    }
    match &task.runtime {
        Runtime::Container(container) => container::check(container),
        Runtime::Attachment(_) => Err(unbuilt("RuntimeSpec: unimplemented runtime in service spec")),
        Runtime::Generic(generic) => container::check_generic(generic),
    }
}

fn check_job(spec: &ServiceSpec) -> Result<(), Refusal> {
    if spec.update.is_some() {
        return Err(Refusal::invalid("Jobs may not have an update config"));
    }
    spec.endpoint.as_ref().map_or(Ok(()), check_endpoint)
}

fn check_update(config: &UpdateConfig) -> Result<(), Refusal> {
    if (0.0..=1.0).contains(&config.max_failure_ratio) {
        return Ok(());
    }
    Err(Refusal::invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1"))
}

fn check_endpoint(endpoint: &EndpointSpec) -> Result<(), Refusal> {
    let is_ingress = |port: &PortConfig| port.publish_mode == PublishMode::Ingress;
    if endpoint.mode == ResolutionMode::DnsRoundRobin && endpoint.ports.iter().any(is_ingress) {
        let message = "EndpointSpec: port published with ingress mode can't be used with dnsrr mode";
        return Err(Refusal::invalid(message));
    }
    let mut seen = std::collections::BTreeSet::new();
    let published = endpoint.ports.iter().filter(|port| port.published_port != 0);
    for port in published {
        if !seen.insert((port.published_port, port.protocol)) {
            return Err(Refusal::invalid("EndpointSpec: duplicate published ports provided"));
        }
    }
    Ok(())
}

/// Refuses ports that another service has: what the mesh has nobody else may have, but nodes' own ports may be
/// wished by several services, since each node has them once.
fn check_ports_free(state: &State, spec: &ServiceSpec, me: Option<ServiceId>) -> Result<(), Refusal> {
    let wished: Vec<&PortConfig> = published(spec).collect();
    if wished.is_empty() {
        return Ok(());
    }
    for other in state.services.iter().filter(|other| Some(other.id) != me) {
        let allocated = other.endpoint.iter().flat_map(|endpoint| &endpoint.ports);
        for has in published(&other.spec).chain(allocated.filter(|port| port.published_port != 0)) {
            if let Some(port) = wished.iter().find(|port| collide(port, has)) {
                return Err(port_taken(port, has, other));
            }
        }
    }
    Ok(())
}

fn published(spec: &ServiceSpec) -> impl Iterator<Item = &PortConfig> {
    spec.endpoint.iter().flat_map(|endpoint| &endpoint.ports).filter(|port| port.published_port != 0)
}

fn collide(one: &PortConfig, other: &PortConfig) -> bool {
    let mesh = one.publish_mode == PublishMode::Ingress || other.publish_mode == PublishMode::Ingress;
    mesh && one.published_port == other.published_port && one.protocol == other.protocol
}

fn port_taken(port: &PortConfig, has: &PortConfig, other: &Service) -> Refusal {
    let mode = match has.publish_mode {
        PublishMode::Ingress => "as an ingress port",
        PublishMode::Host => "as a host-published port",
    };
    let (number, name, id) = (port.published_port, &other.spec.annotations.name, other.id);
    Refusal::invalid(format!("port '{number}' is already in use by service '{name}' ({id}) {mode}"))
}
