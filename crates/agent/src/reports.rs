//! Statuses on their way to the managers: the latest of each task.
//!
//! While a report is under way, newer statuses take the place of older ones; nothing waits for a clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{TaskId, TaskStatus};
use tokio::sync::Notify;

/// The statuses that are still to be told.
///
/// A lock and no channel, since newer statuses replace older ones; it is never held longer than one look.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: Mutex<BTreeMap<TaskId, TaskStatus>>,
    arrived: Notify,
}

impl Reports {
    /// Adds a task's status, in the place of an older one.
    pub(crate) fn put(&self, task: TaskId, status: TaskStatus) {
        self.waiting().insert(task, status);
        self.arrived.notify_one();
    }

    /// All that waits; ends when there is something.
    pub(crate) async fn take(&self) -> BTreeMap<TaskId, TaskStatus> {
        loop {
            let taken = std::mem::take(&mut *self.waiting());
            if !taken.is_empty() {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    /// Puts back what could not be told, where nothing newer has come.
    pub(crate) fn put_back(&self, untold: BTreeMap<TaskId, TaskStatus>) {
        let mut waiting = self.waiting();
        for (task, status) in untold {
            waiting.entry(task).or_insert(status);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<TaskId, TaskStatus>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Chance, TaskState};

    fn status(state: TaskState) -> TaskStatus {
        TaskStatus { state, ..TaskStatus::default() }
    }

    #[tokio::test]
    async fn a_newer_status_is_not_replaced_by_one_that_comes_back() {
        let reports = Reports::default();
        let task = TaskId::random(&mut Chance::from_number(1));
        reports.put(task, status(TaskState::Ready));
        let untold = reports.take().await;
        reports.put(task, status(TaskState::Running));
        reports.put_back(untold);
        assert_eq!(reports.take().await[&task].state, TaskState::Running);
    }
}
