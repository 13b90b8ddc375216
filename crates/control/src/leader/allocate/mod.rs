//! Gives networks their subnets, services their addresses and ports, and tasks and nodes their addresses.
//!
//! In: the draft, in which something is new or changed. Out: the same draft, where tasks that have all they need
//! are `pending`, and those that lack something say what. What is taken is computed from the book ([`Pools::of`])
//! and kept up with changes; what was free a moment ago is rather not given again at once (cursors: patience,
//! not knowledge). It chooses no nodes.

mod addresses;
mod cidr;
mod networks;
mod nodes;
mod ports;
mod services;
mod subnets;
mod tasks;
#[cfg(test)]
mod tests;
mod vxlan;

use std::collections::BTreeSet;

use model::{NetworkId, NodeId, ServiceId, TaskId, TaskState};
use store::{Change, Draft, Object, State};

use addresses::Addresses;
use nodes::Uses;
use ports::Ports;
use subnets::Subnets;
use vxlan::Vxlan;

/// What is taken, and who waits for something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pools {
    subnets: Subnets,
    vxlan: Vxlan,
    addresses: Addresses,
    ports: Ports,
    uses: Uses,
    waiting: Waiting,
}

/// Who is to be looked at.
#[derive(Clone, Debug, Default)]
struct Waiting {
    networks: BTreeSet<NetworkId>,
    services: BTreeSet<ServiceId>,
    tasks: BTreeSet<TaskId>,
    nodes: BTreeSet<NodeId>,
    lacking: Lacking,
    freed: bool,
}

/// Who got nothing last time, and is looked at again when something was freed.
#[derive(Clone, Debug, Default)]
struct Lacking {
    networks: BTreeSet<NetworkId>,
    services: BTreeSet<ServiceId>,
    tasks: BTreeSet<TaskId>,
}

impl PartialEq for Waiting {
    /// Who is to be looked at is a reminder; a look too many changes nothing.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Pools {
    /// What is taken in this book. Everything is to be looked at once.
    pub fn of(state: &State) -> Self {
        let mut pools = Self::default();
        for object in state.objects() {
            pools.note(&Change::Create(object));
        }
        pools.waiting.freed = true;
        pools
    }

    /// Keeps up with one change. Noting it twice is harmless.
    pub fn note(&mut self, change: &Change) {
        let gone = matches!(change, Change::Remove(_));
        let freed = match change.object() {
            Object::Network(network) => {
                self.waiting.networks.insert(network.id);
                let network_now = (!gone).then_some(network.as_ref());
                self.vxlan.note(network.id, network_now);
                self.subnets.note(network.id, network_now);
                self.addresses.note_network(network.id, network_now) || !gone
            }
            Object::Service(service) => {
                self.waiting.services.insert(service.id);
                let service_now = (!gone).then_some(service.as_ref());
                let freed = self.ports.note(service.id, service_now);
                self.addresses.note_service(service.id, service_now) || freed || gone
            }
            Object::Task(task) => {
                let lives = !gone && task.status.state <= TaskState::Running;
                let task_now = lives.then_some(task.as_ref());
                self.waiting.nodes.extend(self.uses.note(task.id, task_now));
                if lives && task.status.state == TaskState::New && task.desired_state <= TaskState::Complete {
                    self.waiting.tasks.insert(task.id);
                }
                self.addresses.note_task(task.id, task_now)
            }
            Object::Node(node) => {
                self.waiting.nodes.insert(node.id);
                self.addresses.note_node(node.id, (!gone).then_some(node.as_ref()))
            }
            _ => false,
        };
        self.waiting.freed |= freed;
    }

    /// True if somebody may get something now that was not to be had before.
    pub fn wants_round(&self) -> bool {
        let Lacking { networks, services, tasks } = &self.waiting.lacking;
        self.waiting.freed && !(networks.is_empty() && services.is_empty() && tasks.is_empty())
    }

    /// Looks again at those that got nothing, if something was freed since.
    fn look_again(&mut self) {
        if std::mem::take(&mut self.waiting.freed) {
            let Lacking { networks, services, tasks } = std::mem::take(&mut self.waiting.lacking);
            self.waiting.networks.extend(networks);
            self.waiting.services.extend(services);
            self.waiting.tasks.extend(tasks);
        }
    }
}

/// Gives everything that waits what it needs, as far as there is enough.
pub fn run(draft: &mut Draft, pools: &mut Pools) {
    for change in draft.changes() {
        pools.note(change);
    }
    pools.look_again();
    networks::run(draft, pools);
    pools.look_again();
    services::run(draft, pools);
    tasks::run(draft, pools);
    nodes::run(draft, pools);
}

/// Gives nodes the addresses they need for tasks that were just assigned to them.
pub fn attach(draft: &mut Draft, pools: &mut Pools) {
    for change in draft.changes() {
        pools.note(change);
    }
    nodes::run(draft, pools);
}
