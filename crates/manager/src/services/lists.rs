//! Which objects a list shall hold: all filters must accept, each by any of its words.

use control::leader::is_up_to_date;
use model::{Annotations, Labels, Node, Runtime, Service, ServiceMode, Task, TaskState, Volume};
use store::State;
use wire::{OnWire, proto};

/// The filters that all kinds of objects have.
pub(super) struct Filters {
    names: Vec<String>,
    id_prefixes: Vec<String>,
    labels: Labels,
    name_prefixes: Vec<String>,
}

impl Filters {
    /// True if an object of this id, name and labels is wanted.
    pub(super) fn accept(&self, id: &str, name: &str, labels: &Labels) -> bool {
        let Self { names, id_prefixes, labels: wanted, name_prefixes } = self;
        any_or_empty(names, |word| word == name)
            && any_or_empty(name_prefixes, |word| name.starts_with(word))
            && any_or_empty(id_prefixes, |word| id.starts_with(word))
            && have_labels(labels, wanted)
    }
}

/// True if one of the words is accepted, or there are none.
pub(super) fn any_or_empty<T>(words: &[T], accept: impl FnMut(&T) -> bool) -> bool {
    words.is_empty() || words.iter().any(accept)
}

/// True if all wanted labels are there; a wanted label without value may have any.
pub(super) fn have_labels(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|found| value.is_empty() || found == value))
}

macro_rules! plain {
    ($($request:ident),*) => {$(
        impl From<proto::$request::Filters> for Filters {
            fn from(filters: proto::$request::Filters) -> Self {
                let proto::$request::Filters { names, id_prefixes, labels, name_prefixes } = filters;
                Self { names, id_prefixes, labels, name_prefixes }
            }
        }
    )*};
}
plain!(list_networks_request, list_clusters_request, list_secrets_request, list_configs_request);

macro_rules! with_more {
    ($($request:ident),*) => {$(
        impl From<&proto::$request::Filters> for Filters {
            /// Without those that only this kind has; its list asks for them itself.
            fn from(filters: &proto::$request::Filters) -> Self {
                Self {
                    names: filters.names.clone(),
                    id_prefixes: filters.id_prefixes.clone(),
                    labels: filters.labels.clone(),
                    name_prefixes: filters.name_prefixes.clone(),
                }
            }
        }
    )*};
}
with_more!(
    list_nodes_request,
    list_tasks_request,
    list_services_request,
    list_resources_request,
    list_volumes_request
);

/// Nodes have labels of their operators and of their users.
pub(super) fn accept_node(wanted: &proto::list_nodes_request::Filters, node: &Node) -> bool {
    let engine_labels = node.description.as_ref().and_then(|description| description.engine.as_ref());
    let no_labels = Labels::new();
    let engine_labels = engine_labels.map_or(&no_labels, |engine| &engine.labels);
    let (membership, role) = (node.spec.membership.to_wire(), node.role.to_wire());
    Filters::from(wanted).accept(node.id.as_str(), node.name(), engine_labels)
        && have_labels(&node.spec.annotations.labels, &wanted.node_labels)
        && any_or_empty(&wanted.memberships, |wanted| *wanted == membership)
        && any_or_empty(&wanted.roles, |wanted| *wanted == role)
}

/// A task is up to date if it was made from its service's present spec.
pub(super) fn accept_task(wanted: &proto::list_tasks_request::Filters, task: &Task, book: &State) -> bool {
    let labels = task.spec.container().map(|container| container.labels.clone()).unwrap_or_default();
    let named = |id: Option<&str>, wanted: &String| id == Some(wanted.as_str());
    Filters::from(wanted).accept(task.id.as_str(), &task.name(), &labels)
        && any_or_empty(&wanted.service_ids, |id| named(task.service_id.as_ref().map(|id| id.as_str()), id))
        && any_or_empty(&wanted.node_ids, |id| named(task.node_id.as_ref().map(|id| id.as_str()), id))
        && any_or_empty(&wanted.desired_states, |state| *state == task.desired_state.to_wire())
        && any_or_empty(&wanted.runtimes, |runtime| *runtime == task.runtime_name())
        && (!wanted.up_to_date || is_up_to_date(book, task))
}

pub(super) fn accept_service(wanted: &proto::list_services_request::Filters, service: &Service) -> bool {
    let Annotations { name, labels, .. } = &service.spec.annotations;
    let runtime = match &service.spec.task.runtime {
        Runtime::Container(_) => "container".to_owned(),
        Runtime::Attachment(_) => "attachment".to_owned(),
        Runtime::Generic(generic) => generic.kind.to_lowercase(),
    };
    Filters::from(wanted).accept(service.id.as_str(), name, labels)
        && any_or_empty(&wanted.runtimes, |wanted| *wanted == runtime)
}

pub(super) fn accept_volume(wanted: &proto::list_volumes_request::Filters, volume: &Volume) -> bool {
    let Annotations { name, labels, .. } = &volume.spec.annotations;
    let driver = volume.spec.driver.as_ref().map_or("", |driver| driver.name.as_str());
    Filters::from(wanted).accept(volume.id.as_str(), name, labels)
        && any_or_empty(&wanted.groups, |group| *group == volume.spec.group)
        && any_or_empty(&wanted.drivers, |wanted| wanted == driver)
}

/// How many tasks a service shall have, has, and had. A service that is gone has none.
pub(super) fn service_status(book: &State, id: &str) -> proto::list_service_statuses_response::ServiceStatus {
    let mut status = proto::list_service_statuses_response::ServiceStatus {
        service_id: id.to_owned(),
        ..Default::default()
    };
    let service = id.parse().ok().and_then(|id| book.services.get(id));
    let Some(service) = service else { return status };
    let tasks = || book.tasks_of(service.id);
    let is_of_this_run = |task: &Task| task.job_iteration == service.job_status.map(|job| job.job_iteration);
    let count = |accept: &dyn Fn(&Task) -> bool| tasks().filter(|task| accept(task)).count() as u64;
    status.running_tasks = count(&|task| task.status.state == TaskState::Running);
    match service.spec.mode {
        ServiceMode::Replicated { replicas } => status.desired_tasks = replicas,
        ServiceMode::Global => {
            status.desired_tasks = count(&|task| task.desired_state == TaskState::Running);
        }
        ServiceMode::ReplicatedJob { max_concurrent, .. } => {
            status.desired_tasks = max_concurrent;
            status.completed_tasks =
                count(&|task| is_of_this_run(task) && task.status.state == TaskState::Complete);
        }
        ServiceMode::GlobalJob => {
            status.desired_tasks =
                count(&|task| is_of_this_run(task) && task.desired_state == TaskState::Complete);
            status.completed_tasks =
                count(&|task| is_of_this_run(task) && task.status.state == TaskState::Complete);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_filters_must_accept_each_by_any_word() {
        let labels = Labels::from([("zone".to_owned(), "north".to_owned())]);
        let filters = |names: &[&str], prefixes: &[&str], wanted: &[(&str, &str)]| Filters {
            names: names.iter().map(ToString::to_string).collect(),
            id_prefixes: prefixes.iter().map(ToString::to_string).collect(),
            labels: wanted.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            name_prefixes: Vec::new(),
        };
        for (wanted, filters) in [
            (true, filters(&[], &[], &[])),
            (true, filters(&["db", "web"], &["ab"], &[("zone", "")])),
            (true, filters(&[], &[], &[("zone", "north")])),
            (false, filters(&["web"], &["b"], &[])),
            (false, filters(&["db"], &[], &[])),
            (false, filters(&[], &[], &[("zone", "south")])),
            (false, filters(&[], &[], &[("rack", "")])),
        ] {
            assert_eq!(filters.accept("abc", "web", &labels), wanted);
        }
    }
}
