//! What each node has left, who waits for a node, and which nodes failed tasks lately.
//!
//! In: the book once, then each change. Out: shelves, one for each node, and nodes in the order of their load.
//! Noting a change twice is harmless, since what each task weighs is kept. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::spec::endpoint::{Protocol, PublishMode};
use model::spec::resources::GenericResource;
use model::{Duration, Node, NodeId, ServiceId, Task, TaskId, TaskState, Timestamp, Version};
use store::{Change, Object, State};

use super::is_waiting;
use super::wish::Wish;

/// Failures count against a node for so long.
const FAILURE_WINDOW: Duration = Duration::from_secs(5 * 60);
/// So many failures within the window make a node a bad choice.
const FAILURES_MAX: u32 = 5;
/// No more failures of one service on one node are counted.
const FAILURES_KEPT_MAX: usize = 20;
/// How often old failures are let go.
const FORGET_PERIOD: Duration = Duration::from_secs(10);

/// What each node has left.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    shelves: BTreeMap<NodeId, Shelf>,
    loads: BTreeMap<TaskId, Load>,
    /// Nodes by their number of active tasks.
    order: BTreeSet<(u32, NodeId)>,
    /// On which nodes a service has active tasks.
    services: BTreeSet<(ServiceId, NodeId)>,
    waiting: BTreeSet<TaskId>,
    unplaceable: BTreeSet<TaskId>,
    /// Whether a task that could not be placed may now have a place.
    changed: bool,
    failures: BTreeMap<(ServiceId, Option<Version>, NodeId), BTreeMap<TaskId, Timestamp>>,
    /// When old failures were let go last.
    forgot_at: Timestamp,
}

/// One node, and what its tasks weigh.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shelf {
    pub(super) node: Arc<Node>,
    nano_cpus: i64,
    memory_bytes: i64,
    generic: Vec<GenericResource>,
    host_ports: BTreeMap<(Protocol, u32), u32>,
    active: u32,
    by_service: BTreeMap<ServiceId, u32>,
}

/// What one task weighs.
#[derive(Clone, Debug, PartialEq)]
struct Load {
    node: NodeId,
    service: Option<ServiceId>,
    is_active: bool,
    nano_cpus: i64,
    memory_bytes: i64,
    generic: Vec<GenericResource>,
    host_ports: Vec<(Protocol, u32)>,
}

impl PartialEq for Ledger {
    /// Equal if they know the same of nodes and tasks; failures are patience.
    fn eq(&self, other: &Self) -> bool {
        let waiting =
            |ledger: &Self| ledger.waiting.union(&ledger.unplaceable).copied().collect::<BTreeSet<_>>();
        self.shelves == other.shelves
            && self.loads == other.loads
            && self.order == other.order
            && self.services == other.services
            && waiting(self) == waiting(other)
    }
}

impl Ledger {
    /// The ledger of this book.
    pub fn of(state: &State) -> Self {
        let mut ledger = Self::default();
        for node in state.nodes.iter() {
            ledger.note_node(node);
        }
        for task in state.tasks.iter() {
            ledger.note_task(task.id, Some(task));
        }
        ledger
    }

    /// Keeps up with one change.
    pub fn note(&mut self, change: &Change) {
        match change {
            Change::Create(Object::Node(node)) | Change::Update(Object::Node(node)) => self.note_node(node),
            Change::Remove(Object::Node(node)) => self.remove_node(node.id),
            Change::Create(Object::Task(task)) | Change::Update(Object::Task(task)) => {
                self.note_task(task.id, Some(task));
            }
            Change::Remove(Object::Task(task)) => self.note_task(task.id, None),
            Change::Create(Object::Volume(_)) | Change::Update(Object::Volume(_)) => self.changed = true,
            _ => {}
        }
    }

    /// True if a task waits that may have a place now.
    pub fn wants_round(&self) -> bool {
        !self.waiting.is_empty() || (self.changed && !self.unplaceable.is_empty())
    }

    /// The tasks to be looked at: new ones, and if something changed, all that wait.
    pub(super) fn take_waiting(&mut self) -> BTreeSet<TaskId> {
        if std::mem::take(&mut self.changed) {
            self.waiting.append(&mut self.unplaceable);
        }
        std::mem::take(&mut self.waiting)
    }

    /// The task is to be looked at in the next round: the draft has no room for it.
    pub(super) fn wait(&mut self, task: TaskId) {
        self.waiting.insert(task);
    }

    /// The task has no place now.
    pub(super) fn cannot_place(&mut self, task: TaskId) {
        self.unplaceable.insert(task);
    }

    /// A node and what is left of it.
    pub(super) fn node(&self, id: NodeId) -> Option<&Shelf> {
        self.shelves.get(&id)
    }

    /// All nodes, by id.
    pub(super) fn shelves(&self) -> impl Iterator<Item = &Shelf> {
        self.shelves.values()
    }

    /// The next node after `after` in the order of their number of active tasks.
    pub(super) fn next_by_load(&self, after: Option<(u32, NodeId)>) -> Option<(u32, NodeId)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.order.range((from, Unbounded)).next().copied()
    }

    /// The nodes on which the service has active tasks.
    pub(super) fn nodes_of(&self, service: ServiceId) -> impl Iterator<Item = NodeId> {
        let all = self.services.range((service, NodeId::LOWEST)..);
        all.take_while(move |(of, _)| *of == service).map(|(_, node)| *node)
    }

    /// The nodes that failed tasks of this service and version too often lately, and how often.
    pub(super) fn bad_nodes(&self, service: ServiceId, version: Option<Version>) -> BTreeMap<NodeId, u32> {
        let all = self.failures.range((service, version, NodeId::LOWEST)..);
        let mine = all.take_while(|((of, at, _), _)| (*of, *at) == (service, version));
        let lately = |at: &&Timestamp| self.forgot_at.since(**at) < FAILURE_WINDOW;
        let counted = mine.map(|((_, _, node), times)| (*node, times.values().filter(lately).count() as u32));
        counted.filter(|(_, count)| *count >= FAILURES_MAX).collect()
    }

    /// Lets old failures go, now and then.
    pub(super) fn forget_failures(&mut self, now: Timestamp) {
        if now.since(self.forgot_at) >= FORGET_PERIOD {
            self.forgot_at = now;
            self.failures.retain(|_, times| {
                times.retain(|_, at| now.since(*at) < FAILURE_WINDOW);
                !times.is_empty()
            });
        }
    }

    /// Keeps up with a task, or its end.
    pub(super) fn note_task(&mut self, id: TaskId, task: Option<&Task>) {
        let load = task.and_then(Load::of);
        let before = self.loads.get(&id);
        if before != load.as_ref() {
            if let Some(before) = before.cloned() {
                self.unload(&before);
                self.changed = true;
            }
            match load {
                Some(load) => {
                    self.load(&load);
                    self.loads.insert(id, load);
                }
                None => {
                    self.loads.remove(&id);
                }
            }
        }
        if let Some(task) = task {
            self.note_failure(task);
        }
        if task.is_some_and(is_waiting) {
            if !self.unplaceable.contains(&id) {
                self.waiting.insert(id);
            }
        } else {
            self.waiting.remove(&id);
            self.unplaceable.remove(&id);
        }
    }

    fn note_node(&mut self, node: &Arc<Node>) {
        match self.shelves.get_mut(&node.id) {
            Some(shelf) => {
                if !Arc::ptr_eq(&shelf.node, node) {
                    shelf.node = Arc::clone(node);
                    self.changed = true;
                }
            }
            None => {
                self.shelves.insert(node.id, Shelf::new(node));
                self.order.insert((0, node.id));
                self.changed = true;
                let here: Vec<Load> =
                    self.loads.values().filter(|load| load.node == node.id).cloned().collect();
                for load in here {
                    self.load(&load);
                }
            }
        }
    }

    fn remove_node(&mut self, id: NodeId) {
        if let Some(shelf) = self.shelves.remove(&id) {
            self.order.remove(&(shelf.active, id));
            for service in shelf.by_service.keys() {
                self.services.remove(&(*service, id));
            }
        }
    }

    fn note_failure(&mut self, task: &Task) {
        let failed = matches!(task.status.state, TaskState::Failed | TaskState::Rejected);
        if let (true, Some(service), Some(node)) = (failed, task.service_id, task.node_id) {
            let times = self.failures.entry((service, task.spec_version, node)).or_default();
            times.insert(task.id, task.state_since());
            while times.len() > FAILURES_KEPT_MAX {
                let oldest = times.iter().min_by_key(|(_, at)| **at).map(|(id, _)| *id);
                times.remove(&oldest.expect("there are some"));
            }
        }
    }

    fn load(&mut self, load: &Load) {
        let Some(shelf) = self.shelves.get_mut(&load.node) else { return };
        shelf.nano_cpus += load.nano_cpus;
        shelf.memory_bytes += load.memory_bytes;
        shelf.generic.extend(load.generic.iter().cloned());
        for port in &load.host_ports {
            *shelf.host_ports.entry(*port).or_default() += 1;
        }
        if load.is_active {
            self.order.remove(&(shelf.active, load.node));
            shelf.active += 1;
            self.order.insert((shelf.active, load.node));
            if let Some(service) = load.service {
                *shelf.by_service.entry(service).or_default() += 1;
                self.services.insert((service, load.node));
            }
        }
    }

    fn unload(&mut self, load: &Load) {
        let Some(shelf) = self.shelves.get_mut(&load.node) else { return };
        shelf.nano_cpus -= load.nano_cpus;
        shelf.memory_bytes -= load.memory_bytes;
        for thing in &load.generic {
            if let Some(place) = shelf.generic.iter().position(|claimed| claimed == thing) {
                shelf.generic.remove(place);
            }
        }
        for port in &load.host_ports {
            lower(&mut shelf.host_ports, *port);
        }
        if load.is_active {
            self.order.remove(&(shelf.active, load.node));
            shelf.active -= 1;
            self.order.insert((shelf.active, load.node));
            if let Some(service) = load.service
                && lower(&mut shelf.by_service, service)
            {
                self.services.remove(&(service, load.node));
            }
        }
    }
}

impl Shelf {
    fn new(node: &Arc<Node>) -> Self {
        Self {
            node: Arc::clone(node),
            nano_cpus: 0,
            memory_bytes: 0,
            generic: Vec::new(),
            host_ports: BTreeMap::new(),
            active: 0,
            by_service: BTreeMap::new(),
        }
    }

    /// How many active tasks the node has.
    pub(super) fn active(&self) -> u32 {
        self.active
    }

    /// How many active tasks of the service the node has.
    pub(super) fn active_of(&self, service: Option<ServiceId>) -> u32 {
        service.and_then(|service| self.by_service.get(&service)).copied().unwrap_or_default()
    }

    /// True if no task has this port of the node.
    pub(super) fn is_port_free(&self, port: (Protocol, u32)) -> bool {
        !self.host_ports.contains_key(&port)
    }

    /// True if enough of everything is left for the wish.
    pub(super) fn has_room(&self, wish: &Wish) -> bool {
        let asks = wish.nano_cpus > 0 || wish.memory_bytes > 0 || !wish.generic.is_empty();
        if !asks {
            return true;
        }
        let all = self.node.description.as_ref().and_then(|description| description.resources.as_ref());
        let Some(all) = all else { return false };
        let enough_cpus = wish.nano_cpus <= 0 || all.nano_cpus - self.nano_cpus >= wish.nano_cpus;
        let enough_memory =
            wish.memory_bytes <= 0 || all.memory_bytes - self.memory_bytes >= wish.memory_bytes;
        enough_cpus
            && enough_memory
            && wish.generic.iter().all(|(kind, count)| !self.claim_kind(kind, *count).is_empty())
    }

    /// Things of these kinds that no task has claimed: for each kind enough, or nothing.
    pub(super) fn claim(&self, wished: &[(String, i64)]) -> Vec<GenericResource> {
        wished.iter().flat_map(|(kind, count)| self.claim_kind(kind, *count)).collect()
    }

    fn claim_kind(&self, wished: &str, count: i64) -> Vec<GenericResource> {
        let description = self.node.description.as_ref();
        let all = description.and_then(|it| it.resources.as_ref()).map(|it| it.generic.as_slice());
        let mut free = 0;
        let mut names = Vec::new();
        for thing in all.unwrap_or_default() {
            match thing {
                GenericResource::Discrete { kind, value } if kind == wished => free += value,
                GenericResource::Named { kind, .. } if kind == wished && !self.generic.contains(thing) => {
                    names.push(thing.clone());
                }
                _ => {}
            }
        }
        let claimed = self.generic.iter().filter_map(|thing| match thing {
            GenericResource::Discrete { kind, value } if kind == wished => Some(value),
            _ => None,
        });
        free -= claimed.sum::<i64>();
        let enough_names = usize::try_from(count).is_ok_and(|count| count > 0 && names.len() >= count);
        if enough_names {
            names.truncate(count as usize);
            names
        } else if free >= count && count > 0 {
            vec![GenericResource::Discrete { kind: wished.to_owned(), value: count }]
        } else {
            Vec::new()
        }
    }
}

impl Load {
    /// What a task weighs; nothing before it has a node and after it ended.
    fn of(task: &Task) -> Option<Self> {
        let node = task.node_id?;
        let weighs = TaskState::Assigned..=TaskState::Running;
        if !weighs.contains(&task.status.state) {
            return None;
        }
        let reserved = task.spec.resources.as_ref().and_then(|resources| resources.reservations.as_ref());
        let ports = task.endpoint.iter().flat_map(|endpoint| &endpoint.ports);
        let host = ports.filter(|port| port.publish_mode == PublishMode::Host && port.published_port != 0);
        Some(Self {
            node,
            service: task.service_id,
            is_active: task.desired_state <= TaskState::Complete,
            nano_cpus: reserved.map_or(0, |reserved| reserved.nano_cpus),
            memory_bytes: reserved.map_or(0, |reserved| reserved.memory_bytes),
            generic: task.assigned_generic_resources.clone(),
            host_ports: host.map(|port| (port.protocol, port.published_port)).collect(),
        })
    }
}

/// Counts one less; true if none is left.
fn lower<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> bool {
    let Some(count) = counts.get_mut(&key) else { return false };
    *count -= 1;
    let none = *count == 0;
    if none {
        counts.remove(&key);
    }
    none
}
