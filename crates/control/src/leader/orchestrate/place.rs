//! The place a task fills: a slot of a service, or a node's share of one.
//!
//! One task after the other fills a place; which of them counts is decided here, so that orchestrating,
//! restarting, updating and reaping agree on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::service::Endpoint;
use model::{
    Annotations, Cx, Meta, NodeId, Service, ServiceId, ServiceMode, Task, TaskId, TaskState, TaskStatus,
};
use store::State;

/// The place a task fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A numbered slot.
    Slot(ServiceId, u64),
    /// A node, for services that run once on each.
    On(ServiceId, NodeId),
}

impl Place {
    /// The task's place; none if it belongs to no service that exists.
    pub(crate) fn of(state: &State, task: &Task) -> Option<Self> {
        Self::in_service(state.services.get(task.service_id?)?, task)
    }

    /// The place of a task of this service.
    fn in_service(service: &Service, task: &Task) -> Option<Self> {
        if is_per_node(&service.spec.mode) {
            task.node_id.map(|node| Self::On(service.id, node))
        } else {
            Some(Self::Slot(service.id, task.slot))
        }
    }

    /// Whose place it is.
    pub(crate) fn service(&self) -> ServiceId {
        match *self {
            Self::Slot(service, _) | Self::On(service, _) => service,
        }
    }

    /// All tasks that fill it or filled it, the oldest first; those of one age by id.
    pub(crate) fn tasks(&self, state: &State) -> Vec<Arc<Task>> {
        let mut tasks: Vec<Arc<Task>> = match *self {
            Self::Slot(service, slot) => state.tasks_in_slot(service, slot).cloned().collect(),
            Self::On(service, node) => state.tasks_of_on(service, node).cloned().collect(),
        };
        tasks.sort_by_key(|task| age(task));
        tasks
    }

    /// A new task for this place.
    pub(crate) fn new_task(
        &self,
        state: &State,
        service: &Service,
        desired: TaskState,
        cx: &mut Cx<'_>,
    ) -> Task {
        let (slot, node_id) = match *self {
            Self::Slot(_, slot) => (slot, None),
            Self::On(_, node) => (0, Some(node)),
        };
        let default_driver = || state.cluster().and_then(|cluster| cluster.spec.default_log_driver.clone());
        Task {
            id: TaskId::random(cx.chance),
            meta: Meta::default(),
            spec: service.spec.task.clone(),
            service_id: Some(service.id),
            slot,
            node_id,
            annotations: Annotations::default(),
            service_annotations: service.spec.annotations.clone(),
            status: TaskStatus {
                timestamp: Some(cx.now),
                state: TaskState::New,
                message: "created".to_owned(),
                ..TaskStatus::default()
            },
            desired_state: desired,
            networks: Vec::new(),
            endpoint: Some(Endpoint { spec: service.spec.endpoint.clone(), ..Endpoint::default() }),
            log_driver: service.spec.task.log_driver.clone().or_else(default_driver),
            spec_version: service.spec_version,
            assigned_generic_resources: Vec::new(),
            job_iteration: service.job_status.map(|job| job.job_iteration),
            volumes: Vec::new(),
        }
    }
}

/// What orders the tasks of one place: when they were made, then their ids.
pub(crate) fn age(task: &Task) -> (Option<model::Timestamp>, TaskId) {
    (task.meta.created_at, task.id)
}

/// True if the service has one place on each node.
pub(crate) fn is_per_node(mode: &ServiceMode) -> bool {
    matches!(mode, ServiceMode::Global | ServiceMode::GlobalJob)
}

/// True if the service runs to completion.
pub(crate) fn is_job(mode: &ServiceMode) -> bool {
    matches!(mode, ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob)
}

/// What a task of the service is to become.
pub(crate) fn goal(mode: &ServiceMode) -> TaskState {
    if is_job(mode) { TaskState::Complete } else { TaskState::Running }
}

/// All tasks of a service by place, the oldest of each first.
pub(crate) fn all_places(state: &State, service: &Service) -> BTreeMap<Place, Vec<Arc<Task>>> {
    let mut places: BTreeMap<Place, Vec<Arc<Task>>> = BTreeMap::new();
    for task in state.tasks_of(service.id) {
        if let Some(place) = Place::in_service(service, task) {
            places.entry(place).or_default().push(Arc::clone(task));
        }
    }
    for tasks in places.values_mut() {
        tasks.sort_by_key(|task| age(task));
    }
    places
}

/// True if the task shall run, or wait for its turn to.
pub(crate) fn is_wanted(task: &Task) -> bool {
    task.desired_state <= TaskState::Complete
}
