//! All tables, at one index of the log.

use std::sync::Arc;

use model::{
    Cluster, Config, Extension, Meta, Network, Node, NodeId, Resource, Secret, Service, ServiceId, Task,
    Timestamp, Volume,
};

use crate::change::{Change, Event};
use crate::object::{Key, Object, Stored};
use crate::table::Table;

/// The whole book. Cloning is cheap, sharing is free.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The index of the last log entry that is in it.
    pub index: u64,
    /// Machines.
    pub nodes: Table<Node>,
    /// Services.
    pub services: Table<Service>,
    /// Networks.
    pub networks: Table<Network>,
    /// Tasks.
    pub tasks: Table<Task>,
    /// The one cluster object.
    pub clusters: Table<Cluster>,
    /// Secrets.
    pub secrets: Table<Secret>,
    /// Foreign objects.
    pub resources: Table<Resource>,
    /// Kinds of foreign objects.
    pub extensions: Table<Extension>,
    /// Configs.
    pub configs: Table<Config>,
    /// Cluster volumes.
    pub volumes: Table<Volume>,
}

impl State {
    /// A book from a snapshot's objects.
    pub fn from_objects(index: u64, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut state = Self { index, ..Self::default() };
        for object in objects {
            state.put(object);
        }
        state
    }

    /// True if the change is in this book: a version is given only once.
    pub fn holds(&self, change: &Change) -> bool {
        match change {
            Change::Create(object) | Change::Update(object) => self.meta_of(object) == Some(object.meta()),
            Change::Remove(object) => self.meta_of(object).is_none(),
        }
    }

    /// When the newest of all objects was last changed, by the clock of whoever led then.
    pub fn newest(&self) -> Timestamp {
        fn of<T: Stored>(table: &Table<T>) -> Option<Timestamp> {
            table.iter().filter_map(|object| object.meta().updated_at).max()
        }
        let all = [
            of(&self.nodes),
            of(&self.services),
            of(&self.networks),
            of(&self.tasks),
            of(&self.clusters),
            of(&self.secrets),
            of(&self.resources),
            of(&self.extensions),
            of(&self.configs),
            of(&self.volumes),
        ];
        all.into_iter().flatten().max().unwrap_or_default()
    }

    /// The version and times that the book has for the object with this one's id.
    fn meta_of(&self, object: &Object) -> Option<&Meta> {
        match object {
            Object::Node(node) => self.nodes.get(node.id).map(|node| &node.meta),
            Object::Service(service) => self.services.get(service.id).map(|service| &service.meta),
            Object::Network(network) => self.networks.get(network.id).map(|network| &network.meta),
            Object::Task(task) => self.tasks.get(task.id).map(|task| &task.meta),
            Object::Cluster(cluster) => self.clusters.get(cluster.id).map(|cluster| &cluster.meta),
            Object::Secret(secret) => self.secrets.get(secret.id).map(|secret| &secret.meta),
            Object::Resource(resource) => self.resources.get(resource.id).map(|resource| &resource.meta),
            Object::Extension(extension) => {
                self.extensions.get(extension.id).map(|extension| &extension.meta)
            }
            Object::Config(config) => self.configs.get(config.id).map(|config| &config.meta),
            Object::Volume(volume) => self.volumes.get(volume.id).map(|volume| &volume.meta),
        }
    }

    /// Every object, kind after kind: what a snapshot holds.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        fn of<T: Stored>(table: &Table<T>) -> impl Iterator<Item = Object> {
            table.iter().map(|object| T::into_object(Arc::clone(object)))
        }
        of(&self.nodes)
            .chain(of(&self.services))
            .chain(of(&self.networks))
            .chain(of(&self.tasks))
            .chain(of(&self.clusters))
            .chain(of(&self.secrets))
            .chain(of(&self.resources))
            .chain(of(&self.extensions))
            .chain(of(&self.configs))
            .chain(of(&self.volumes))
    }

    /// Takes in the changes of one log entry, and tells what they did. What could fail was judged before it
    /// was proposed, so nothing fails here: a change of something that is gone does nothing.
    pub fn apply(&mut self, index: u64, changes: &[Change]) -> Vec<Event> {
        self.index = index;
        changes.iter().filter_map(|change| self.apply_one(change)).collect()
    }

    fn apply_one(&mut self, change: &Change) -> Option<Event> {
        match change {
            Change::Create(object) | Change::Update(object) => Some(match self.put(object.clone()) {
                Some(old) => Event::Updated { old, new: object.clone() },
                None => Event::Created(object.clone()),
            }),
            Change::Remove(object) => self.take(object).map(Event::Removed),
        }
    }

    /// Puts an object in the place of what has its id, and returns that.
    pub(crate) fn put(&mut self, object: Object) -> Option<Object> {
        match object {
            Object::Node(node) => self.nodes.put(node).map(Object::Node),
            Object::Service(service) => self.services.put(service).map(Object::Service),
            Object::Network(network) => self.networks.put(network).map(Object::Network),
            Object::Task(task) => self.tasks.put(task).map(Object::Task),
            Object::Cluster(cluster) => self.clusters.put(cluster).map(Object::Cluster),
            Object::Secret(secret) => self.secrets.put(secret).map(Object::Secret),
            Object::Resource(resource) => self.resources.put(resource).map(Object::Resource),
            Object::Extension(extension) => self.extensions.put(extension).map(Object::Extension),
            Object::Config(config) => self.configs.put(config).map(Object::Config),
            Object::Volume(volume) => self.volumes.put(volume).map(Object::Volume),
        }
    }

    /// Takes the object with this object's id out.
    pub(crate) fn take(&mut self, object: &Object) -> Option<Object> {
        match object {
            Object::Node(node) => self.nodes.take(node.id).map(Object::Node),
            Object::Service(service) => self.services.take(service.id).map(Object::Service),
            Object::Network(network) => self.networks.take(network.id).map(Object::Network),
            Object::Task(task) => self.tasks.take(task.id).map(Object::Task),
            Object::Cluster(cluster) => self.clusters.take(cluster.id).map(Object::Cluster),
            Object::Secret(secret) => self.secrets.take(secret.id).map(Object::Secret),
            Object::Resource(resource) => self.resources.take(resource.id).map(Object::Resource),
            Object::Extension(extension) => self.extensions.take(extension.id).map(Object::Extension),
            Object::Config(config) => self.configs.take(config.id).map(Object::Config),
            Object::Volume(volume) => self.volumes.take(volume.id).map(Object::Volume),
        }
    }

    /// The one cluster object; absent until the swarm is founded.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.clusters.iter().next()
    }

    /// The tasks of a service, by id.
    pub fn tasks_of(&self, service: ServiceId) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.with_key(Key::Service(service))
    }

    /// The tasks of one slot of a service, by id.
    pub fn tasks_in_slot(&self, service: ServiceId, slot: u64) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.with_key(Key::Slot(service, slot))
    }

    /// The tasks of a service without slot numbers on a node, by id.
    pub fn tasks_of_on(&self, service: ServiceId, node: NodeId) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.with_key(Key::On(service, node))
    }

    /// The tasks on a node, by id.
    pub fn tasks_on(&self, node: NodeId) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.with_key(Key::Node(node))
    }
}
