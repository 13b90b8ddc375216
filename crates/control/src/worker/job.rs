//! One task on this machine: what is being done for it, and what of it was told.
//!
//! In: wishes and ends of steps, one by one. Out: the next step. It does not know of other tasks.

use std::sync::Arc;

use model::{Duration, Task, TaskState, Timestamp};

use super::input::{Done, Failure, Output, Step};
use super::step::{Next, after, after_failure, is_obsolete, next_step};

/// How long to wait before a step is tried again (`control.md` section 13).
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// One task on this machine.
#[derive(Debug)]
pub(super) struct Job {
    /// The task: wished by the managers, its status by us.
    pub(super) task: Arc<Task>,
    /// The step that hands are doing.
    pub(super) doing: Option<Step>,
    /// Not before this time is the next step begun.
    pub(super) retry_at: Option<Timestamp>,
    /// The same, as the worker's queue of retries has it.
    pub(super) queued: Option<Timestamp>,
    /// Whether the managers have taken it away from this machine.
    pub(super) leaving: bool,
    cancelled: bool,
    cleared: bool,
    changed: bool,
    unreported: bool,
}

/// What is to be told of a job.
pub(super) struct News {
    /// Task or status changed, for memory.
    pub(super) remember: bool,
    /// The status changed, for the managers.
    pub(super) report: bool,
}

impl Job {
    /// A task that is new to this machine, or remembered. It keeps the status it comes with.
    pub(super) fn new(task: Arc<Task>) -> Self {
        Self {
            task,
            doing: None,
            retry_at: None,
            queued: None,
            leaving: false,
            cancelled: false,
            cleared: false,
            changed: true,
            unreported: false,
        }
    }

    /// Takes over what the managers wish. The desired state only grows, and the status is ours.
    pub(super) fn wish(&mut self, wished: &Arc<Task>) {
        let status = self.task.status.clone();
        let desired = wished.desired_state.max(self.task.desired_state);
        let grown = desired > self.task.desired_state;
        let mut task = Task::clone(wished);
        task.status = status;
        task.desired_state = desired;
        if grown {
            self.retry_at = None;
        }
        self.changed = true;
        self.leaving = false;
        self.task = Arc::new(task);
    }

    /// The managers have taken it away: it shall end, and nothing shall be left of it.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.retry_at = None;
        self.changed = true;
        Arc::make_mut(&mut self.task).desired_state = TaskState::Remove;
    }

    /// Hands have done their step.
    pub(super) fn succeeded(&mut self, now: Timestamp, step: Step, done: Done) {
        self.doing = None;
        self.cancelled = false;
        self.cleared |= step == Step::Remove;
        let Done { container, ports } = done;
        if container.is_some() || ports.is_some() {
            let status = &mut Arc::make_mut(&mut self.task).status;
            status.container = container.or(status.container.take());
            status.port_status = ports.or(status.port_status.take());
        }
        if let Some((state, word)) = after(step) {
            self.become_state(now, state, word);
        }
    }

    /// Hands could not do their step. One that was cancelled has not failed: what follows is decided anew.
    pub(super) fn failed(&mut self, now: Timestamp, step: Step, failure: Failure) {
        self.doing = None;
        let Failure { message, temporary, container } = failure;
        if let Some(container) = container {
            Arc::make_mut(&mut self.task).status.container = Some(container);
        }
        if std::mem::take(&mut self.cancelled) {
            return;
        }
        if temporary {
            self.retry_at = Some(now + RETRY_DELAY);
        } else if step == Step::Remove {
            self.cleared = true;
        } else {
            let status = &mut Arc::make_mut(&mut self.task).status;
            status.state = after_failure(status.state);
            status.err = message;
            status.timestamp = Some(now);
            self.changed = true;
            self.unreported = true;
        }
    }

    /// Goes as far as it can without hands; returns what hands shall do, if anything.
    pub(super) fn settle(&mut self, now: Timestamp) -> Option<Output> {
        if let Some(step) = self.doing {
            return self.give_up(step);
        }
        if self.retry_at.is_some_and(|at| at > now) {
            return None;
        }
        self.retry_at = None;
        loop {
            match next_step(&self.task) {
                Next::Rest => return None,
                Next::Become(state, word) => self.become_state(now, state, word),
                Next::Do(Step::Remove) if self.cleared => return None,
                Next::Do(step) => {
                    self.doing = Some(step);
                    return Some(Output::Do(Arc::clone(&self.task), step));
                }
            }
        }
    }

    /// True if nothing of it is left and nobody wants it.
    pub(super) fn is_over(&self) -> bool {
        self.leaving && self.cleared && self.doing.is_none()
    }

    /// What has not been told yet. Of a task that was taken away, nobody wants to hear.
    pub(super) fn news(&mut self) -> News {
        let remember = std::mem::take(&mut self.changed);
        let report = std::mem::take(&mut self.unreported) && !self.leaving;
        News { remember, report }
    }

    fn give_up(&mut self, step: Step) -> Option<Output> {
        let obsolete = is_obsolete(step, self.task.desired_state) && !self.cancelled;
        self.cancelled |= obsolete;
        obsolete.then_some(Output::Cancel(self.task.id))
    }

    fn become_state(&mut self, now: Timestamp, state: TaskState, word: &str) {
        let status = &mut Arc::make_mut(&mut self.task).status;
        status.state = state;
        status.timestamp = Some(now);
        word.clone_into(&mut status.message);
        status.err.clear();
        // Until it runs, what was done for it is found again by doing it again.
        self.changed |= state >= TaskState::Running;
        self.unreported = true;
    }
}
