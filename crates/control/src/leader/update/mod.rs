//! Goes from an older spec to the present one, place after place, or back.
//!
//! In: the draft, the services whose spec, tasks or nodes want a look. Out: the same draft, at most one step further:
//! old tasks give way to new ones, so many at a time; too many failures pause or take back; or all is done.
//! Nothing waits here. What was done is read from the book: the first clean task that a place got since the
//! update began is its *fresh* one.

mod dirt;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::node::Availability;
use model::service::{UpdateState, UpdateStatus};
use model::spec::update::{FailureAction, MONITOR_DEFAULT, UpdateConfig, UpdateOrder};
use model::{Cx, Duration, Service, ServiceId, Task, TaskId, TaskState, Timestamp};
use store::{Draft, State};

use super::agenda::{Agenda, Reminder, is_lost};
use super::orchestrate::place::{Place, all_places, is_job, is_wanted};
use super::orchestrate::slots::{counting, wish};
use super::restart;
use dirt::is_dirty;
pub use dirt::is_up_to_date;

/// Since when fresh tasks run, for services that are being updated: the book tells it of a task only until the
/// task ends. This is patience, not knowledge: a leader that has not seen a task run takes its end for a failure.
#[derive(Debug, Default)]
pub(super) struct Watch {
    running: BTreeMap<ServiceId, BTreeMap<TaskId, Timestamp>>,
}

/// Makes the next step of each update that wants a look.
pub(super) fn run(draft: &mut Draft, agenda: &mut Agenda, watch: &mut Watch, cx: &mut Cx<'_>) {
    for id in concerned(draft, agenda) {
        if draft.is_full() {
            return;
        }
        let Some(service) = draft.services.get(id).filter(|service| !is_job(&service.spec.mode)).cloned()
        else {
            watch.running.remove(&id);
            continue;
        };
        step(draft, agenda, (&service, watch), cx);
    }
    for (place, tasks) in left_behind(draft, agenda) {
        if draft.is_full() {
            return;
        }
        renew(draft, agenda, (place, &tasks, UpdateOrder::StopFirst), cx);
    }
}

/// True while an update or rollback makes steps.
pub(super) fn is_going_on(service: &Service) -> bool {
    let state = service.update_status.as_ref().map(|status| status.state);
    matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted))
}

/// True if an update or rollback was stopped, and waits for the user.
fn is_paused(service: &Service) -> bool {
    let state = service.update_status.as_ref().map(|status| status.state);
    matches!(state, Some(UpdateState::Paused | UpdateState::RollbackPaused))
}

/// Services that were touched, and those of touched tasks, or of tasks on touched nodes, if an update goes on.
fn concerned(state: &State, agenda: &Agenda) -> BTreeSet<ServiceId> {
    let touched = agenda.tasks.iter().filter_map(|id| state.tasks.get(*id));
    let on_nodes = agenda.nodes.iter().flat_map(|id| state.tasks_on(*id));
    let owners = touched.chain(on_nodes).filter_map(|task| task.service_id);
    let updated = owners.filter(|id| state.services.get(*id).is_some_and(|service| is_going_on(service)));
    agenda.services.iter().copied().chain(updated).collect()
}

/// What stayed old on nodes that could not be renewed while their services were, and now can: it is renewed at once,
/// and no update is made of it.
fn left_behind(state: &State, agenda: &Agenda) -> BTreeMap<Place, Vec<Arc<Task>>> {
    let on_nodes = agenda.nodes.iter().flat_map(|id| state.tasks_on(*id)).filter(|task| is_wanted(task));
    let places = on_nodes.filter_map(|task| Place::of(state, task));
    let per_node: BTreeSet<Place> = places.filter(|place| matches!(place, Place::On(..))).collect();
    let is_left_behind = |place: Place, tasks: &[Arc<Task>]| {
        let service = state.services.get(place.service());
        let is_at_rest = |it: &Service| !is_job(&it.spec.mode) && !is_going_on(it) && !is_paused(it);
        service.is_some_and(|it| is_at_rest(it) && is_old(state, it, place, tasks))
    };
    let places = per_node.into_iter().map(|place| (place, place.tasks(state)));
    places.filter(|(place, tasks)| is_left_behind(*place, tasks)).collect()
}

fn step(
    draft: &mut Draft,
    agenda: &mut Agenda,
    (service, watch): (&Arc<Service>, &mut Watch),
    cx: &mut Cx<'_>,
) {
    if is_paused(service) || (!is_going_on(service) && !begin(draft, service)) {
        return;
    }
    let service = draft.services.get(service.id).expect("an update removes no service").clone();
    let seen = watch.running.entry(service.id).or_default();
    let progress = Progress::of(draft, &service, seen);
    if let Some(failed) = progress.failed_too_often() {
        halt(draft, &service, failed);
        watch.running.remove(&service.id);
        return;
    }
    progress.go_on(draft, agenda, cx);
    if progress.is_done(cx.now) {
        finish(draft, &service);
        watch.running.remove(&service.id);
    }
}

/// Says that an update begins, if there is something to renew, or an earlier one left something to be stopped.
fn begin(draft: &mut Draft, service: &Arc<Service>) -> bool {
    let places = all_places(draft, service);
    let is_unclean = |(place, tasks): (&Place, &Vec<Arc<Task>>)| {
        may_be_renewed(draft, *place)
            && counting(service, tasks).iter().any(|task| is_dirty(draft, service, task))
    };
    let begins = places.iter().any(is_unclean);
    if begins {
        let status = UpdateStatus {
            state: UpdateState::Updating,
            started_at: Some(draft.now()),
            completed_at: None,
            message: "update in progress".to_owned(),
        };
        draft.edit(service, |service| service.update_status = Some(status));
    }
    begins
}

/// True if the place counts, and has nothing clean.
fn is_old(state: &State, service: &Service, place: Place, tasks: &[Arc<Task>]) -> bool {
    let counting = counting(service, tasks);
    !counting.is_empty()
        && may_be_renewed(state, place)
        && counting.iter().all(|task| is_dirty(state, service, task))
}

/// False for places on nodes that are paused, or that nothing may stay on.
fn may_be_renewed(state: &State, place: Place) -> bool {
    let Place::On(_, id) = place else { return true };
    let paused = |node: &Arc<model::Node>| node.spec.availability == Availability::Pause;
    !is_lost(state, id) && !state.nodes.get(id).is_some_and(paused)
}

/// How far an update is.
struct Progress {
    service: Arc<Service>,
    config: UpdateConfig,
    /// Places that have nothing clean yet.
    old: Vec<(Place, Vec<Arc<Task>>)>,
    /// Places that have.
    fresh: Vec<Fresh>,
}

/// A place that has got a clean task in this update.
struct Fresh {
    /// The first one.
    task: Arc<Task>,
    /// Since when it runs, or ended; absent if neither.
    since: Option<Timestamp>,
    /// True if it ended before it was trusted.
    failed: bool,
    /// Dirty tasks that are still wanted, to go as soon as a clean one runs.
    leftover: Vec<Arc<Task>>,
    /// True if a clean task runs.
    runs: bool,
}

impl Progress {
    fn of(state: &State, service: &Arc<Service>, seen: &mut BTreeMap<TaskId, Timestamp>) -> Self {
        let config = config(service);
        let (mut old, mut fresh) = (Vec::new(), Vec::new());
        for (place, tasks) in all_places(state, service) {
            if is_old(state, service, place, &tasks) {
                old.push((place, tasks));
            } else {
                fresh.extend(Fresh::of(state, service, &tasks, (seen, monitor(&config))));
            }
        }
        Self { service: Arc::clone(service), config, old, fresh }
    }

    /// The latest failed task, if there are more failures than the service allows and something follows from it.
    fn failed_too_often(&self) -> Option<Arc<Task>> {
        let failed: Vec<&Fresh> = self.fresh.iter().filter(|fresh| fresh.failed).collect();
        let ratio = failed.len() as f32 / (self.old.len() + self.fresh.len()) as f32;
        let matters = self.config.failure_action != FailureAction::Continue;
        let latest = failed.iter().max_by_key(|fresh| (fresh.since, fresh.task.id))?;
        (matters && ratio > self.config.max_failure_ratio).then(|| Arc::clone(&latest.task))
    }

    /// Lets old tasks go whose successors run, and renews as many places as may be in work.
    fn go_on(&self, draft: &mut Draft, agenda: &mut Agenda, cx: &mut Cx<'_>) {
        let stop_first = self.config.order == UpdateOrder::StopFirst;
        for fresh in self.fresh.iter().filter(|fresh| fresh.runs || stop_first) {
            for task in &fresh.leftover {
                wish(draft, task, TaskState::Shutdown);
            }
        }
        let busy = self.fresh.iter().filter(|fresh| fresh.is_busy(cx.now, self.config.delay)).count();
        let most = match usize::try_from(self.config.parallelism).unwrap_or(usize::MAX) {
            0 => usize::MAX,
            most => most,
        };
        for (place, tasks) in self.old.iter().take(most.saturating_sub(busy)) {
            if draft.is_full() {
                return;
            }
            renew(draft, agenda, (*place, tasks, self.config.order), cx);
        }
        self.look_again(agenda, cx.now);
    }

    /// Wants a look when the next place may be renewed, or the last one is trusted.
    fn look_again(&self, agenda: &mut Agenda, now: Timestamp) {
        let wait = if self.old.is_empty() { monitor(&self.config) } else { self.config.delay };
        let ends = self.fresh.iter().filter_map(|fresh| fresh.since).map(|since| since + wait);
        if let Some(at) = ends.filter(|at| *at > now).min() {
            agenda.remind(at, Reminder::Service(self.service.id));
        }
    }

    /// True if nothing is old, and everything fresh has run long enough or ended.
    fn is_done(&self, now: Timestamp) -> bool {
        let trusted = |fresh: &Fresh| {
            let watched = |since: Timestamp| since + monitor(&self.config) <= now;
            fresh.leftover.is_empty()
                && (fresh.task.status.state.is_final() || fresh.since.is_some_and(watched))
        };
        self.old.is_empty() && self.fresh.iter().all(trusted)
    }
}

impl Fresh {
    /// What the place has got since the update began; nothing if it was clean before.
    fn of(
        state: &State,
        service: &Service,
        tasks: &[Arc<Task>],
        (seen, monitor): (&mut BTreeMap<TaskId, Timestamp>, Duration),
    ) -> Option<Self> {
        let started = service.update_status.as_ref().and_then(|status| status.started_at);
        let clean = |task: &&Arc<Task>| !is_dirty(state, service, task);
        let matters = |task: &&Arc<Task>| is_wanted(task) || task.status.state.is_final();
        let new = tasks.iter().filter(|task| task.meta.created_at >= started);
        let task = new.filter(matters).find(clean);
        let counting = counting(service, tasks);
        let leftover: Vec<Arc<Task>> = counting
            .iter()
            .filter(|task| !clean(task) && is_wanted(task))
            .map(|task| Arc::clone(task))
            .collect();
        let runs = |task: &&&Arc<Task>| clean(task) && task.status.state == TaskState::Running;
        let runs = counting.iter().any(|task| runs(&task));
        let task = task.or_else(|| counting.iter().copied().find(clean).filter(|_| !leftover.is_empty()))?;
        let since = match task.status.state {
            TaskState::Running => Some(*seen.entry(task.id).or_insert(task.state_since())),
            state => state.is_final().then(|| task.state_since()),
        };
        let trusted = |ran: &Timestamp| *ran + monitor < task.state_since();
        let failed = has_failed(task) && !seen.get(&task.id).is_some_and(trusted);
        Some(Self { task: Arc::clone(task), since, failed, leftover, runs })
    }

    /// True while the place counts among those in work.
    fn is_busy(&self, now: Timestamp, delay: Duration) -> bool {
        !self.leftover.is_empty() || self.since.is_none_or(|since| since + delay > now)
    }
}

/// Makes a new task for the place, to be started when the old one has stopped, or to let it stop later.
fn renew(
    draft: &mut Draft,
    agenda: &mut Agenda,
    (place, tasks, order): (Place, &[Arc<Task>], UpdateOrder),
    cx: &mut Cx<'_>,
) {
    let Some(service) = draft.services.get(place.service()).cloned() else { return };
    let (desired, kept) = match order {
        UpdateOrder::StopFirst => (TaskState::Ready, None),
        UpdateOrder::StartFirst => (TaskState::Running, serving(tasks)),
    };
    for task in tasks.iter().filter(|task| is_wanted(task) && Some(task.id) != kept) {
        wish(draft, task, TaskState::Shutdown);
    }
    let task = place.new_task(draft, &service, desired, cx);
    draft.create(task);
    restart::start_due(draft, agenda, &service, place);
}

/// The one old task that stays until the new one runs: one that runs, or else the newest.
fn serving(tasks: &[Arc<Task>]) -> Option<TaskId> {
    let mut wanted = tasks.iter().filter(|task| is_wanted(task));
    let runs = wanted.clone().find(|task| task.status.state == TaskState::Running);
    runs.or_else(|| wanted.next_back()).map(|task| task.id)
}

/// True if the task ended though nobody wished it.
fn has_failed(task: &Task) -> bool {
    task.status.state.is_final() && task.status.state != TaskState::Shutdown
}

fn config(service: &Service) -> UpdateConfig {
    let config = if is_going_back(service) { &service.spec.rollback } else { &service.spec.update };
    config.clone().unwrap_or_default()
}

fn is_going_back(service: &Service) -> bool {
    service.update_status.as_ref().is_some_and(|status| status.state == UpdateState::RollbackStarted)
}

fn monitor(config: &UpdateConfig) -> Duration {
    config.monitor.unwrap_or(MONITOR_DEFAULT)
}

/// Pauses, or goes back to the previous spec; a way back is never taken back.
fn halt(draft: &mut Draft, service: &Arc<Service>, failed: Arc<Task>) {
    let why = format!("due to failure or early termination of task {}", failed.id);
    let wants_back = config(service).failure_action == FailureAction::Rollback;
    let now = draft.now();
    draft.edit(service, |service| {
        if is_going_back(service) {
            say(service, UpdateState::RollbackPaused, format!("rollback paused {why}"));
        } else if let Some(previous) = service.previous_spec.take_if(|_| wants_back) {
            service.spec = *previous;
            service.spec_version = service.previous_spec_version.take();
            say(service, UpdateState::RollbackStarted, format!("update rolled back {why}"));
            service.update_status.get_or_insert_default().started_at = Some(now);
        } else {
            say(service, UpdateState::Paused, format!("update paused {why}"));
        }
    });
}

fn finish(draft: &mut Draft, service: &Arc<Service>) {
    let now = draft.now();
    let back =
        service.update_status.as_ref().is_some_and(|status| status.state == UpdateState::RollbackStarted);
    draft.edit(service, |service| {
        match back {
            true => say(service, UpdateState::RollbackCompleted, "rollback completed".to_owned()),
            false => say(service, UpdateState::Completed, "update completed".to_owned()),
        }
        service.update_status.get_or_insert_default().completed_at = Some(now);
    });
}

fn say(service: &mut Service, state: UpdateState, message: String) {
    let status = service.update_status.get_or_insert_default();
    status.state = state;
    status.message = message;
}
