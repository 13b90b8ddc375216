//! Tells managers' users what happens in the book, as it happens (`control.md` section 17).
//!
//! In: kinds of objects, with filters; the book as it changes. Out: a message for each change of the book that
//! matters to the watcher. A slow watcher is told the sum of several changes at once: what it hears is always
//! true, and nothing is kept for it.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use model::{Annotations, Runtime, Task};
use store::{Object, State, Stored, Table};
use tonic::{Request, Response, Status};
use wire::proto::select_by::By;
use wire::proto::watch_request::WatchEntry;
use wire::proto::{WatchActionKind, watch_message, watch_server};
use wire::{OnWire, proto};

use super::Book;
use super::guard::{Guard, MANAGERS};

/// The service.
#[derive(Debug)]
pub(super) struct Watch {
    guard: Guard,
    book: Book,
}

impl Watch {
    pub(super) fn new(guard: Guard, book: Book) -> Self {
        Self { guard, book }
    }
}

#[tonic::async_trait]
impl watch_server::Watch for Watch {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<proto::WatchMessage, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::WatchRequest { entries, resume_from, include_old_object } = request.into_inner();
        if resume_from.is_some() {
            return Err(Status::unimplemented("watching from an earlier version is not supported"));
        }
        if let Some(entry) = entries.iter().find(|entry| !KINDS.contains(&entry.kind.as_str())) {
            return Err(Status::invalid_argument(format!(
                "unrecognized watch selector kind {:?}",
                entry.kind
            )));
        }
        let mut book = self.book.clone();
        let known = book.borrow_and_update().clone();
        let watcher = Watcher { entries, include_old_object, book, known, is_told: false };
        let messages = futures_util::stream::unfold(watcher, |mut watcher| async {
            let message = watcher.next().await?;
            Some((Ok(message), watcher))
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

/// The kinds that can be watched.
const KINDS: [&str; 10] =
    ["node", "service", "network", "task", "cluster", "secret", "resource", "extension", "config", "volume"];

/// One who watches.
struct Watcher {
    entries: Vec<WatchEntry>,
    include_old_object: bool,
    book: Book,
    known: Arc<State>,
    is_told: bool,
}

/// An object before and after; at least one of both.
type Change = (Option<Object>, Option<Object>);

impl Watcher {
    /// The next message; `None` when this manager ends. The first one only says that watching has begun.
    async fn next(&mut self) -> Option<proto::WatchMessage> {
        if !std::mem::replace(&mut self.is_told, true) {
            return Some(proto::WatchMessage::default());
        }
        loop {
            self.book.changed().await.ok()?;
            let now = self.book.borrow_and_update().clone();
            let events: Vec<_> =
                self.changes(&now).into_iter().filter_map(|change| self.event(change)).collect();
            let version = Some(proto::Version { index: now.index });
            self.known = now;
            if !events.is_empty() {
                return Some(proto::WatchMessage { events, version });
            }
        }
    }

    /// What changed among the kinds that are watched.
    fn changes(&self, now: &State) -> Vec<Change> {
        let watched = |kind: &str| self.entries.iter().any(|entry| entry.kind == kind);
        let old = &*self.known;
        let mut changes = Vec::new();
        for kind in KINDS.into_iter().filter(|kind| watched(kind)) {
            match kind {
                "node" => compare(&old.nodes, &now.nodes, &mut changes),
                "service" => compare(&old.services, &now.services, &mut changes),
                "network" => compare(&old.networks, &now.networks, &mut changes),
                "task" => compare(&old.tasks, &now.tasks, &mut changes),
                "cluster" => compare(&old.clusters, &now.clusters, &mut changes),
                "secret" => compare(&old.secrets, &now.secrets, &mut changes),
                "resource" => compare(&old.resources, &now.resources, &mut changes),
                "extension" => compare(&old.extensions, &now.extensions, &mut changes),
                "config" => compare(&old.configs, &now.configs, &mut changes),
                "volume" => compare(&old.volumes, &now.volumes, &mut changes),
                other => unreachable!("{other} is no kind"),
            }
        }
        changes
    }

    /// The event, if one of the entries wants it.
    fn event(&self, (old, new): Change) -> Option<watch_message::Event> {
        let action = match (&old, &new) {
            (None, _) => WatchActionKind::WatchActionCreate,
            (Some(_), Some(_)) => WatchActionKind::WatchActionUpdate,
            (Some(_), None) => WatchActionKind::WatchActionRemove,
        };
        let object = new.as_ref().or(old.as_ref())?;
        self.entries.iter().find(|entry| wants(entry, action, object))?;
        let to_wire = |object: &Object| proto::Object { object: Some(object.to_wire()) };
        Some(watch_message::Event {
            action: action.into(),
            object: Some(to_wire(object)),
            old_object: old.as_ref().filter(|_| self.include_old_object && new.is_some()).map(to_wire),
        })
    }
}

/// Finds what differs between two tables. Unchanged objects are shared, so a look at the pointer is enough.
fn compare<T: Stored>(old: &Table<T>, new: &Table<T>, changes: &mut Vec<Change>) {
    let object = |object: &Arc<T>| T::into_object(Arc::clone(object));
    for before in old.iter().filter(|before| new.get(before.id()).is_none()) {
        changes.push((Some(object(before)), None));
    }
    for after in new.iter() {
        let before = old.get(after.id());
        if !before.is_some_and(|before| Arc::ptr_eq(before, after)) {
            changes.push((before.map(object), Some(object(after))));
        }
    }
}

fn wants(entry: &WatchEntry, action: WatchActionKind, object: &Object) -> bool {
    let WatchEntry { kind, action: actions, filters } = entry;
    kind == kind_of(object)
        && (*actions == 0 || actions & action as i32 != 0)
        && filters.iter().filter_map(|filter| filter.by.as_ref()).all(|by| selects(by, object))
}

fn kind_of(object: &Object) -> &'static str {
    match object {
        Object::Node(_) => "node",
        Object::Service(_) => "service",
        Object::Network(_) => "network",
        Object::Task(_) => "task",
        Object::Cluster(_) => "cluster",
        Object::Secret(_) => "secret",
        Object::Resource(_) => "resource",
        Object::Extension(_) => "extension",
        Object::Config(_) => "config",
        Object::Volume(_) => "volume",
    }
}

fn annotations(object: &Object) -> &Annotations {
    match object {
        Object::Node(node) => &node.spec.annotations,
        Object::Service(service) => &service.spec.annotations,
        Object::Network(network) => &network.spec.annotations,
        Object::Task(task) => &task.annotations,
        Object::Cluster(cluster) => &cluster.spec.annotations,
        Object::Secret(secret) => &secret.spec.annotations,
        Object::Resource(resource) => &resource.annotations,
        Object::Extension(extension) => &extension.annotations,
        Object::Config(config) => &config.spec.annotations,
        Object::Volume(volume) => &volume.spec.annotations,
    }
}

/// True if the object is selected. What a selector asks of another kind of object is never true.
fn selects(by: &By, object: &Object) -> bool {
    let name = || match object {
        Object::Task(task) => task.name(),
        Object::Node(node) => node.name().to_owned(),
        other => annotations(other).name.clone(),
    };
    let custom = |wanted: &proto::SelectByCustom, accept: fn(&str, &str) -> bool| {
        let indices = &annotations(object).indices;
        indices.iter().any(|entry| entry.key == wanted.index && accept(&entry.value, &wanted.value))
    };
    let of_service = |task: &Task, id: &str| task.service_id.is_some_and(|service| service.as_str() == id);
    match (by, object) {
        (By::Id(id), _) => object.id() == *id,
        (By::IdPrefix(prefix), _) => object.id().starts_with(prefix),
        (By::Name(wanted), _) => name() == *wanted,
        (By::NamePrefix(prefix), _) => name().starts_with(prefix),
        (By::Custom(wanted), _) => custom(wanted, |value, wanted| value == wanted),
        (By::CustomPrefix(wanted), _) => custom(wanted, |value, wanted| value.starts_with(wanted)),
        (By::ServiceId(id), Object::Task(task)) => of_service(task, id),
        (By::NodeId(id), Object::Task(task)) => task.node_id.is_some_and(|node| node.as_str() == id),
        (By::Slot(slot), Object::Task(task)) => of_service(task, &slot.service_id) && task.slot == slot.slot,
        (By::DesiredState(state), Object::Task(task)) => task.desired_state.to_wire() == *state,
        (By::Role(role), Object::Node(node)) => node.role.to_wire() == *role,
        (By::Membership(membership), Object::Node(node)) => node.spec.membership.to_wire() == *membership,
        (By::Kind(kind), Object::Resource(resource)) => resource.kind == *kind,
        (By::ReferencedNetworkId(id), Object::Task(task)) => {
            task.networks.iter().any(|attachment| attachment.network.id.as_str() == id)
        }
        (By::ReferencedNetworkId(id), Object::Service(service)) => {
            // Both places where a service may name them.
            let mut named = service.spec.networks.iter().chain(&service.spec.task.networks);
            named.any(|network| network.target == *id)
        }
        (By::ReferencedSecretId(id), _) => referenced(object, |container| {
            container.secrets.iter().any(|reference| reference.secret_id.as_str() == id)
        }),
        (By::ReferencedConfigId(id), _) => referenced(object, |container| {
            container.configs.iter().any(|reference| reference.config_id.as_str() == id)
        }),
        _ => false,
    }
}

/// True if the object runs a container, and the container is as asked.
fn referenced(object: &Object, accept: impl Fn(&model::ContainerSpec) -> bool) -> bool {
    let spec = match object {
        Object::Task(task) => &task.spec,
        Object::Service(service) => &service.spec.task,
        _ => return false,
    };
    match &spec.runtime {
        Runtime::Container(container) => accept(container),
        Runtime::Attachment(_) | Runtime::Generic(_) => false,
    }
}
