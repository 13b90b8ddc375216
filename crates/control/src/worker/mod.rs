//! Decides what this machine does next for each of its tasks.
//!
//! In: tasks as the managers wish them, and how steps ended. Out: steps to do, one at a time for each task,
//! and statuses to report and to remember. It does not know what a container is, and decides nothing that
//! concerns two tasks: a task that ended is never run again here, the managers send another one.

mod input;
mod job;
mod step;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Machine, Task, TaskId, TaskState, Timestamp};

pub use input::{Done, Failure, Input, Output, Step};
use job::Job;

/// What this machine does for its tasks.
#[derive(Debug, Default)]
pub struct Worker {
    jobs: BTreeMap<TaskId, Job>,
    retries: BTreeSet<(Timestamp, TaskId)>,
}

impl Machine for Worker {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let mut wishes = Vec::new();
        match input {
            Input::Remembered(tasks) => self.remembered(now, tasks, &mut wishes),
            Input::AssignedAll(tasks) => self.assigned_all(now, &tasks, &mut wishes),
            Input::Assigned { updated, removed } => {
                for task in &updated {
                    self.assigned(now, task, &mut wishes);
                }
                for id in removed {
                    self.removed(now, id, &mut wishes);
                }
            }
            Input::Done(id, step, result) => self.done(now, (id, step), result, &mut wishes),
            Input::Reconnected => self.report_all(&mut wishes),
            Input::Wake => self.retry(now, &mut wishes),
        }
        wishes
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.retries.first().map(|(at, _)| *at)
    }
}

impl Worker {
    /// A worker that knows of no task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tasks it has, as it sees them: by id.
    pub fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.jobs.values().map(|job| &job.task)
    }

    /// Goes on with each task where it was when the daemon ended. Steps that were being done are done once more.
    fn remembered(&mut self, now: Timestamp, tasks: Vec<Arc<Task>>, wishes: &mut Vec<Output>) {
        for task in tasks {
            let id = task.id;
            self.jobs.entry(id).or_insert_with(|| Job::new(task));
            self.settle(now, id, wishes);
        }
    }

    /// Takes these tasks for all: those not named go.
    fn assigned_all(&mut self, now: Timestamp, tasks: &[Arc<Task>], wishes: &mut Vec<Output>) {
        let named: BTreeSet<TaskId> = tasks.iter().map(|task| task.id).collect();
        let gone: Vec<TaskId> = self.jobs.keys().copied().filter(|id| !named.contains(id)).collect();
        for id in gone {
            self.removed(now, id, wishes);
        }
        for task in tasks {
            self.assigned(now, task, wishes);
        }
    }

    /// Takes a task as the managers wish it. How it *is* stays our own knowledge.
    fn assigned(&mut self, now: Timestamp, task: &Arc<Task>, wishes: &mut Vec<Output>) {
        match self.jobs.get_mut(&task.id) {
            Some(job) => job.wish(task),
            None => {
                self.jobs.insert(task.id, Job::new(Arc::clone(task)));
            }
        }
        self.settle(now, task.id, wishes);
    }

    /// Ends a task that is no longer this machine's business, and leaves nothing of it.
    fn removed(&mut self, now: Timestamp, id: TaskId, wishes: &mut Vec<Output>) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.leave();
            self.settle(now, id, wishes);
        }
    }

    fn done(
        &mut self,
        now: Timestamp,
        (id, step): (TaskId, Step),
        result: Result<Done, Failure>,
        wishes: &mut Vec<Output>,
    ) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.doing == Some(step)) else { return };
        match result {
            Ok(done) => job.succeeded(now, step, done),
            Err(failure) => job.failed(now, step, failure),
        }
        self.settle(now, id, wishes);
    }

    fn retry(&mut self, now: Timestamp, wishes: &mut Vec<Output>) {
        while let Some(&(at, id)) = self.retries.first().filter(|(at, _)| *at <= now) {
            self.retries.remove(&(at, id));
            self.settle(now, id, wishes);
        }
    }

    /// Tells everything once more: a new session does not know what the old one was told.
    fn report_all(&self, wishes: &mut Vec<Output>) {
        let told =
            self.jobs.values().filter(|job| job.task.status.state > TaskState::Assigned && !job.leaving);
        wishes.extend(told.map(|job| Output::Report(job.task.id, job.task.status.clone())));
    }

    /// Lets a job go as far as it can without hands, then wishes for the next step and tells what changed.
    fn settle(&mut self, now: Timestamp, id: TaskId, wishes: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let next = job.settle(now);
        if job.queued != job.retry_at {
            self.retries.extend(job.retry_at.map(|at| (at, id)));
            if let Some(before) = std::mem::replace(&mut job.queued, job.retry_at) {
                self.retries.remove(&(before, id));
            }
        }
        if job.is_over() {
            self.jobs.remove(&id);
            wishes.push(Output::Forget(id));
            return;
        }
        let news = job.news();
        if news.remember {
            wishes.push(Output::Remember(Arc::clone(&job.task)));
        }
        wishes.extend(next);
        if news.report {
            wishes.push(Output::Report(id, job.task.status.clone()));
        }
    }
}
