//! Which services, nodes and tasks want another look, and when.
//!
//! In: changes, and the deciders' wishes to look again later. Out: what to look at now. An entry here is only a
//! reminder: deciders read the book, never the event, and a look too many changes nothing.

use std::collections::BTreeSet;

use model::limits::ENTRY_CHANGES_MAX;
use model::{NodeId, ServiceId, Task, TaskId, Timestamp};
use store::{Change, Object, State};

use super::orchestrate::place::{Place, is_wanted};

/// So many tasks are looked at in one go: as many as one entry could change. What has no room in a draft is looked at
/// again in the next one, and that must not be everything.
const TASKS_AT_ONCE: usize = ENTRY_CHANGES_MAX;

/// What wants another look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Agenda {
    /// Services that were touched, or lost a task.
    pub(super) services: BTreeSet<ServiceId>,
    /// Nodes that were touched.
    pub(super) nodes: BTreeSet<NodeId>,
    /// Tasks that were touched, and are looked at now.
    pub(super) tasks: BTreeSet<TaskId>,
    /// Tasks whose turn has not come.
    waiting: BTreeSet<TaskId>,
    reminders: BTreeSet<(Timestamp, Reminder)>,
}

/// What is to be looked at again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reminder {
    /// A service whose update goes on.
    Service(ServiceId),
    /// A task that waits to be started.
    Task(TaskId),
}

impl Agenda {
    /// Everything in the book.
    pub(super) fn of(state: &State) -> Self {
        let mut agenda = Self::default();
        for object in state.objects() {
            agenda.note(&Change::Create(object));
        }
        let owners = state.tasks.iter().filter_map(|task| task.service_id);
        agenda.services.extend(owners);
        agenda
    }

    /// Keeps up with one change, to be looked at when its turn comes.
    pub(super) fn note(&mut self, change: &Change) {
        let task = self.touch(change);
        self.waiting.extend(task);
    }

    /// Keeps up with one change, to be looked at now.
    pub(super) fn note_now(&mut self, change: &Change) {
        let task = self.touch(change);
        self.tasks.extend(task);
    }

    /// Notes what a change touches, but for the task that it touches.
    fn touch(&mut self, change: &Change) -> Option<TaskId> {
        match change.object() {
            Object::Service(service) => {
                self.services.insert(service.id);
            }
            Object::Node(node) => {
                self.nodes.insert(node.id);
            }
            Object::Task(task) if matches!(change, Change::Remove(_)) => {
                self.services.extend(task.service_id.filter(|_| is_wanted(task)));
            }
            Object::Task(task) => return Some(task.id),
            _ => {}
        }
        None
    }

    /// Wants a look when the time has come.
    pub(super) fn remind(&mut self, at: Timestamp, reminder: Reminder) {
        self.reminders.insert((at, reminder));
    }

    /// True if there is something to look at now.
    pub(super) fn wants_round(&self, now: Timestamp) -> bool {
        let quiet = self.services.is_empty() && self.nodes.is_empty() && !self.has_waiting();
        !quiet || self.wake_at().is_some_and(|at| at <= now)
    }

    /// When there will be something to look at.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.reminders.first().map(|(at, _)| *at)
    }

    /// Adds what is due to what is to be looked at now.
    pub(super) fn call_due(&mut self, now: Timestamp) {
        while let Some((_, reminder)) = self.reminders.first().filter(|(at, _)| *at <= now).copied() {
            self.reminders.pop_first();
            match reminder {
                Reminder::Service(service) => self.services.insert(service),
                Reminder::Task(task) => self.waiting.insert(task),
            };
        }
    }

    /// Calls the next tasks.
    pub(super) fn call_tasks(&mut self) {
        while self.tasks.len() < TASKS_AT_ONCE {
            let Some(task) = self.waiting.pop_first() else { return };
            self.tasks.insert(task);
        }
    }

    /// True if tasks wait for their turn.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Puts back what could not be looked at.
    pub(super) fn put_back(&mut self) {
        self.waiting.append(&mut self.tasks);
    }

    /// Forgets what was looked at; what waits stays, and so do reminders.
    pub(super) fn clear(&mut self) {
        self.services.clear();
        self.nodes.clear();
        self.tasks.clear();
    }

    /// The places of all tasks that want a look: those touched, and those on nodes that were.
    pub(super) fn places(&self, state: &State) -> BTreeSet<Place> {
        let touched = self.tasks.iter().filter_map(|id| state.tasks.get(*id));
        let stranded = self.nodes.iter().filter(|id| is_lost(state, **id)).flat_map(|id| state.tasks_on(*id));
        touched.chain(stranded).filter_map(|task| Place::of(state, task)).collect()
    }
}

/// True if nothing may stay on the node: it is gone, down, or shall be empty.
pub(super) fn is_lost(state: &State, node: NodeId) -> bool {
    state.nodes.get(node).is_none_or(|node| node.is_invalid())
}

/// True if the task has a node on which it may not stay.
pub(super) fn is_stranded(state: &State, task: &Task) -> bool {
    task.node_id.is_some_and(|node| is_lost(state, node))
}
