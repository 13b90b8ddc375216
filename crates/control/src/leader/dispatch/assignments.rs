//! What a node was told of its work, and how that differs from what it should know now.
//!
//! In: commits. Out: the whole once, then differences. What a task needs (secrets, configs, volumes) is told
//! once while any running task of the node uses it, and taken back with the last user. A change that only the
//! node itself can have made, of a status, is not echoed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::volume::{VolumeAssignment, VolumePublishState};
use model::{ConfigId, NodeId, SecretId, Task, TaskId, TaskState, Volume, VolumeId};
use store::{Change, Object, State};

use crate::leader::input::{Assignment, AssignmentChange, Assignments};

/// What one node was told in its session.
#[derive(Debug, Default)]
pub(super) struct Told {
    messages: u64,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    users: BTreeMap<Dependency, BTreeSet<TaskId>>,
}

/// Something that tasks use and that the node must be told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dependency {
    Secret(SecretId),
    Config(ConfigId),
    Volume(VolumeId),
}

impl Told {
    /// Tells everything.
    pub(super) fn begin(state: &State, node: NodeId) -> (Self, Assignments) {
        let mut told = Self::default();
        let mut news = News::default();
        for task in state.tasks_on(node) {
            told.task(state, node, task, &mut news);
        }
        let all = told.message(true, news);
        (told, all)
    }

    /// Tells that there is no work any more.
    pub(super) fn end(&mut self) -> Assignments {
        self.tasks.clear();
        self.users.clear();
        self.message(true, News::default())
    }

    /// Tells what these changes, which all concern the node, mean for it; nothing if they mean nothing.
    pub(super) fn difference(
        &mut self,
        state: &State,
        node: NodeId,
        changes: &[&Change],
    ) -> Option<Assignments> {
        let mut news = News::default();
        for change in changes {
            match change {
                Change::Create(Object::Task(task)) | Change::Update(Object::Task(task)) => {
                    self.task(state, node, task, &mut news);
                }
                Change::Remove(Object::Task(task)) => self.removed(task.id, &mut news),
                Change::Update(Object::Volume(volume)) => self.volume(state, node, volume, &mut news),
                _ => {}
            }
        }
        (!news.is_empty()).then(|| self.message(false, news))
    }

    fn task(&mut self, state: &State, node: NodeId, task: &Arc<Task>, news: &mut News) {
        if task.status.state < TaskState::Assigned {
            return;
        }
        let old = self.tasks.insert(task.id, Arc::clone(task));
        let echo = old.is_some_and(|old| same_work(&old, task)) && task.status.state > TaskState::Assigned;
        if !echo {
            news.tasks.push(Arc::clone(task));
        }
        if task.status.state <= TaskState::Running {
            self.need(state, node, task, news);
        } else {
            self.release(task.id, task, news);
        }
    }

    fn removed(&mut self, id: TaskId, news: &mut News) {
        if let Some(task) = self.tasks.remove(&id) {
            self.release(id, &task, news);
            news.removed.push(AssignmentChange::RemoveTask(id));
        }
    }

    /// Counts the task among the users of what it needs, and tells what has no other user yet.
    fn need(&mut self, state: &State, node: NodeId, task: &Task, news: &mut News) {
        for dependency in dependencies(task) {
            let Some(thing) = thing(state, node, dependency) else { continue };
            let users = self.users.entry(dependency).or_default();
            if users.is_empty() {
                news.things.push(thing);
            }
            users.insert(task.id);
        }
    }

    /// Counts the task no longer among the users of what it needed, and takes back what has no other user.
    fn release(&mut self, id: TaskId, task: &Task, news: &mut News) {
        for dependency in dependencies(task) {
            let Some(users) = self.users.get_mut(&dependency) else { continue };
            if users.remove(&id) && users.is_empty() {
                self.users.remove(&dependency);
                news.removed.push(match dependency {
                    Dependency::Secret(id) => AssignmentChange::RemoveSecret(id),
                    Dependency::Config(id) => AssignmentChange::RemoveConfig(id),
                    Dependency::Volume(id) => AssignmentChange::RemoveVolume(id),
                });
            }
        }
    }

    /// A volume came to the node: its users, who were told before, need it now.
    fn volume(&mut self, state: &State, node: NodeId, volume: &Volume, news: &mut News) {
        let uses = |task: &&Arc<Task>| {
            task.status.state <= TaskState::Running && task.volumes.iter().any(|used| used.id == volume.id)
        };
        let users: Vec<Arc<Task>> = self.tasks.values().filter(uses).cloned().collect();
        for task in users {
            self.need(state, node, &task, news);
        }
    }

    fn message(&mut self, complete: bool, news: News) -> Assignments {
        let applies_to = self.messages;
        self.messages += 1;
        let News { things, tasks, removed } = news;
        let is_volume = |thing: &Assignment| matches!(thing, Assignment::Volume(_));
        let (volumes, things): (Vec<_>, Vec<_>) = things.into_iter().partition(is_volume);
        let tasks = tasks.into_iter().map(Assignment::Task);
        let updates = things.into_iter().chain(tasks).chain(volumes).map(AssignmentChange::Update);
        // What lost its last user and found another within the same commit stays where it is.
        let removed = removed.into_iter().filter(|change| !self.is_used(change));
        let changes = updates.chain(removed).collect();
        Assignments { complete, applies_to, results_in: self.messages, changes }
    }
}

impl Told {
    /// True if the change takes back something that a task uses.
    fn is_used(&self, change: &AssignmentChange) -> bool {
        let dependency = match change {
            AssignmentChange::RemoveSecret(id) => Dependency::Secret(*id),
            AssignmentChange::RemoveConfig(id) => Dependency::Config(*id),
            AssignmentChange::RemoveVolume(id) => Dependency::Volume(*id),
            AssignmentChange::RemoveTask(_) | AssignmentChange::Update(_) => return false,
        };
        self.users.contains_key(&dependency)
    }
}

/// What is to be told next.
#[derive(Default)]
struct News {
    things: Vec<Assignment>,
    tasks: Vec<Arc<Task>>,
    removed: Vec<AssignmentChange>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.things.is_empty() && self.tasks.is_empty() && self.removed.is_empty()
    }
}

/// Everything that a task uses.
fn dependencies(task: &Task) -> Vec<Dependency> {
    let mut all = Vec::new();
    if let Some(container) = task.spec.container() {
        all.extend(container.secrets.iter().map(|used| Dependency::Secret(used.secret_id)));
        all.extend(container.configs.iter().map(|used| Dependency::Config(used.config_id)));
    }
    all.extend(task.volumes.iter().map(|used| Dependency::Volume(used.id)));
    all
}

/// What the node is to be told of a dependency; nothing if it is gone, or not on the node yet.
fn thing(state: &State, node: NodeId, dependency: Dependency) -> Option<Assignment> {
    match dependency {
        Dependency::Secret(id) => state.secrets.get(id).cloned().map(Assignment::Secret),
        Dependency::Config(id) => state.configs.get(id).cloned().map(Assignment::Config),
        Dependency::Volume(id) => {
            let volume = state.volumes.get(id)?;
            let here = |status: &&model::volume::VolumePublishStatus| {
                status.node_id == node && status.state == VolumePublishState::Published
            };
            let published = volume.publish_status.iter().find(here)?;
            let info = volume.info.clone().unwrap_or_default();
            Some(Assignment::Volume(Box::new(VolumeAssignment {
                id,
                volume_id: info.volume_id,
                driver: volume.spec.driver.clone(),
                volume_context: info.volume_context,
                publish_context: published.publish_context.clone(),
                access_mode: volume.spec.access_mode.clone(),
                secrets: volume.spec.secrets.clone(),
            })))
        }
    }
}

/// True if nothing differs but how the task is.
fn same_work(old: &Task, new: &Task) -> bool {
    let Task {
        id,
        meta: _,
        spec,
        service_id,
        slot,
        node_id,
        annotations,
        service_annotations,
        status: _,
        desired_state,
        networks,
        endpoint,
        log_driver,
        spec_version,
        assigned_generic_resources,
        job_iteration,
        volumes,
    } = old;
    *desired_state == new.desired_state
        && *id == new.id
        && *service_id == new.service_id
        && *slot == new.slot
        && *node_id == new.node_id
        && *spec_version == new.spec_version
        && *job_iteration == new.job_iteration
        && *networks == new.networks
        && *endpoint == new.endpoint
        && *assigned_generic_resources == new.assigned_generic_resources
        && *volumes == new.volumes
        && *log_driver == new.log_driver
        && *annotations == new.annotations
        && *service_annotations == new.service_annotations
        && *spec == new.spec
}
