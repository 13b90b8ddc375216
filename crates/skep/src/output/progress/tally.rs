//! How far a service is, counted out of its tasks.
//!
//! In: a service, its tasks that are as it wishes, and the nodes that are up. Out: lines to show, and whether all
//! is as wished. Knows no clock and no output.

use std::collections::{BTreeMap, BTreeSet};

use api::service::Service;
use api::task::Task;

/// With more tasks than this only the sum is shown.
const BARS_MAX: usize = 20;
/// Of a sentence about a failure so many letters are shown.
const ERROR_LETTERS: usize = 75;

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it is about: `overall progress`, `1/3`, a node.
    pub(super) name: String,
    /// What is said about it.
    pub(super) text: String,
    /// How much is done, and how much there is to do: such lines are for terminals only.
    pub(super) bar: Option<(u64, u64)>,
}

impl Line {
    fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), bar: None }
    }

    fn bar(name: impl Into<String>, text: impl Into<String>, current: u64, total: u64) -> Self {
        Self { name: name.into(), text: text.into(), bar: Some((current, total)) }
    }
}

/// How far a service is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) lines: Vec<Line>,
    pub(super) is_done: bool,
}

/// What is counted.
pub(super) struct View<'a> {
    pub(super) service: &'a Service,
    pub(super) tasks: &'a [Task],
    /// The ids of nodes that are up.
    pub(super) nodes: &'a BTreeSet<String>,
    pub(super) is_rollback: bool,
}

/// True if the service runs to an end.
pub(super) fn is_job(service: &Service) -> bool {
    service.spec.mode.replicated_job.is_some() || service.spec.mode.global_job.is_some()
}

impl View<'_> {
    /// What is shown before anything is known: a line for each task to come.
    pub(super) fn opening(&self) -> Vec<Line> {
        let mode = &self.service.spec.mode;
        match (&mode.replicated, &mode.replicated_job) {
            (Some(replicated), _) => {
                let count = replicated.replicas.unwrap_or(1);
                let overall = overall(0, count, self.is_rollback);
                std::iter::once(overall).chain(waiting(count)).collect()
            }
            (_, Some(_)) => {
                let (total, concurrent) = self.job();
                let mut lines = vec![complete(0, total), active(0, concurrent.min(total))];
                lines.extend(waiting(total));
                lines
            }
            _ => Vec::new(),
        }
    }

    /// Counts.
    pub(super) fn tally(&self) -> Tally {
        let mode = &self.service.spec.mode;
        match (&mode.replicated, &mode.global, &mode.replicated_job) {
            (_, Some(_), _) => self.global(),
            (_, _, Some(_)) => self.replicated_job(),
            (Some(replicated), ..) => self.replicated(replicated.replicas.unwrap_or(1)),
            _ => self.global_job(),
        }
    }

    fn replicated(&self, count: u64) -> Tally {
        let by_slot = self.leading(|task| task.slot);
        let running = by_slot.values().filter(|task| is_up(task)).count() as u64;
        let numbered = by_slot.values().zip(1..).take_while(|(_, number)| *number <= count);
        let tasks = numbered.map(|(task, number)| (format!("{number}/{count}"), *task));
        let lines =
            std::iter::once(overall(running, count, self.is_rollback)).chain(bars(tasks, 9)).collect();
        Tally { lines, is_done: running >= count }
    }

    fn global(&self) -> Tally {
        let by_node = self.leading(|task| task.node_id.clone());
        let count = by_node.len() as u64;
        if count == 0 {
            return Tally {
                lines: vec![Line::text("overall progress", "waiting for new tasks")],
                is_done: false,
            };
        }
        let running = by_node.values().filter(|task| is_up(task)).count() as u64;
        let tasks = by_node.values().map(|task| (crate::session::short(&task.node_id), *task));
        let lines =
            std::iter::once(overall(running, count, self.is_rollback)).chain(bars(tasks, 9)).collect();
        Tally { lines, is_done: running == count }
    }

    fn replicated_job(&self) -> Tally {
        let (total, concurrent) = self.job();
        let by_slot = self.leading(|task| task.slot);
        let done = by_slot.values().filter(|task| task.status.state == "complete").count() as u64;
        let runs = |task: &&&Task| task.desired_state == "complete" && order(&task.status.state) <= RUNNING;
        let now = by_slot.values().filter(runs).count() as u64;
        let wished = concurrent.min(total.saturating_sub(done));
        let tasks = by_slot.iter().map(|(slot, task)| (format!("{}/{total}", slot + 1), *task));
        let lines =
            [complete(done, total), active(now.min(wished), wished)].into_iter().chain(bars(tasks, 10));
        Tally { lines: lines.collect(), is_done: done >= total }
    }

    fn global_job(&self) -> Tally {
        let by_node = self.leading(|task| task.node_id.clone());
        let total = by_node.len() as u64;
        let done = by_node.values().filter(|task| task.status.state == "complete").count() as u64;
        let tasks = by_node.iter().map(|(node, task)| (node.clone(), *task));
        let lines = std::iter::once(complete(done, total)).chain(bars(tasks, 10)).collect();
        Tally { lines, is_done: total > 0 && done == total }
    }

    /// How many tasks a job has in all, and how many at once.
    fn job(&self) -> (u64, u64) {
        let job = self.service.spec.mode.replicated_job.unwrap_or_default();
        let concurrent = job.max_concurrent.unwrap_or(1);
        (job.total_completions.unwrap_or(concurrent), concurrent)
    }

    /// The task that counts for each place: among several the one that is wished least far, then the one that is
    /// least far. Tasks of a job's earlier runs and of nodes that are down count nothing.
    fn leading<P: Ord>(&self, place: impl Fn(&Task) -> P) -> BTreeMap<P, &Task> {
        let run = self.service.job_status.map(|status| status.job_iteration);
        let mut by_place: BTreeMap<P, &Task> = BTreeMap::new();
        for task in self.tasks {
            let counts = (run.is_none() || task.job_iteration == run)
                && order(&task.desired_state) <= COMPLETE
                && (task.node_id.is_empty() || self.nodes.contains(&task.node_id));
            if !counts {
                continue;
            }
            let rank = |task: &Task| (order(&task.desired_state), order(&task.status.state));
            match by_place.get(&place(task)) {
                Some(known) if rank(known) <= rank(task) => {}
                _ => drop(by_place.insert(place(task), task)),
            }
        }
        by_place
    }
}

fn is_up(task: &Task) -> bool {
    task.status.state == "running" && order(&task.desired_state) <= RUNNING
}

fn overall(running: u64, count: u64, is_rollback: bool) -> Line {
    let what = if is_rollback { "rolling back update: " } else { "" };
    Line::text("overall progress", format!("{what}{running} out of {count} tasks"))
}

fn complete(done: u64, total: u64) -> Line {
    Line::bar("job progress", format!("{done} out of {total} complete"), done, total)
}

fn active(now: u64, wished: u64) -> Line {
    Line::text("active tasks", format!("{now} out of {wished} tasks"))
}

/// A line without a word for each task to come, if there are not too many.
fn waiting(count: u64) -> Vec<Line> {
    let count = if count <= BARS_MAX as u64 { count } else { 0 };
    let total = count;
    (1..=count).map(|number| Line::text(format!("{number}/{total}"), " ")).collect()
}

/// A line for each task, if there are not too many; `total` steps lead to the end.
fn bars<'a>(tasks: impl Iterator<Item = (String, &'a Task)>, total: u64) -> Vec<Line> {
    let tasks: Vec<(String, &Task)> = tasks.collect();
    if tasks.len() > BARS_MAX {
        return Vec::new();
    }
    let line = |(name, task): (String, &Task)| {
        let state = task.status.state.as_str();
        if !task.status.err.is_empty() {
            return Some(Line::text(name, shortened(&task.status.err)));
        }
        (order(state) <= total).then(|| Line::bar(name, format!("{state:<9}"), order(state), total))
    };
    tasks.into_iter().filter_map(line).collect()
}

/// A sentence on one line, and not too long.
fn shortened(error: &str) -> String {
    let line = error.split('\n').collect::<Vec<_>>().join(" ");
    super::super::units::ellipsis(&line, ERROR_LETTERS)
}

const RUNNING: u64 = 9;
const COMPLETE: u64 = 10;

/// How far a state is on its way; one that is on no way is beyond all.
fn order(state: &str) -> u64 {
    const WAY: [&str; 10] = [
        "new",
        "allocated",
        "pending",
        "assigned",
        "accepted",
        "preparing",
        "ready",
        "starting",
        "running",
        "complete",
    ];
    WAY.iter().position(|word| *word == state).map_or(u64::MAX, |at| at as u64 + 1)
}

#[cfg(test)]
mod tests {
    use api::service::{Global, Replicated, ReplicatedJob, ServiceMode};

    use super::*;

    fn task(slot: u64, node: &str, desired: &str, state: &str, err: &str) -> Task {
        let mut task =
            Task { slot, node_id: node.to_owned(), desired_state: desired.to_owned(), ..Task::default() };
        task.status.state = state.to_owned();
        task.status.err = err.to_owned();
        task
    }

    fn shown(mode: ServiceMode, tasks: &[Task]) -> (Vec<String>, bool) {
        let mut service = Service::default();
        service.spec.mode = mode;
        let nodes = BTreeSet::from(["one".to_owned(), "two".to_owned()]);
        let Tally { lines, is_done } =
            View { service: &service, tasks, nodes: &nodes, is_rollback: false }.tally();
        let line = |Line { name, text, bar }: Line| match bar {
            Some((current, total)) => format!("{name}: {text} {current}/{total}"),
            None => format!("{name}: {text}"),
        };
        (lines.into_iter().map(line).collect(), is_done)
    }

    fn replicated(replicas: u64) -> ServiceMode {
        ServiceMode { replicated: Some(Replicated { replicas: Some(replicas) }), ..ServiceMode::default() }
    }

    #[test]
    fn slots_are_counted() {
        let tasks = [
            task(1, "one", "running", "running", ""),
            task(2, "one", "running", "preparing", ""),
            task(3, "two", "ready", "rejected", "No such\nimage"),
        ];
        let (lines, is_done) = shown(replicated(3), &tasks);
        let expected = [
            "overall progress: 1 out of 3 tasks",
            "1/3: running   9/9",
            "2/3: preparing 6/9",
            "3/3: No such image",
        ];
        assert_eq!(lines, expected);
        assert!(!is_done);
    }

    #[test]
    fn tasks_on_their_way_out_or_on_nodes_that_are_down_do_not_count() {
        let tasks = [
            task(1, "one", "shutdown", "running", ""),
            task(1, "lost", "running", "running", ""),
            task(1, "", "running", "pending", ""),
        ];
        assert_eq!(
            shown(replicated(1), &tasks).0,
            ["overall progress: 0 out of 1 tasks", "1/1: pending   3/9"]
        );
    }

    #[test]
    fn many_tasks_have_no_lines_of_their_own() {
        let tasks: Vec<Task> = (1..=21).map(|slot| task(slot, "one", "running", "running", "")).collect();
        assert_eq!(
            shown(replicated(21), &tasks),
            (vec!["overall progress: 21 out of 21 tasks".to_owned()], true)
        );
    }

    #[test]
    fn global_services_have_a_line_for_each_node() {
        let mode = ServiceMode { global: Some(Global {}), ..ServiceMode::default() };
        assert_eq!(
            shown(mode.clone(), &[]),
            (vec!["overall progress: waiting for new tasks".to_owned()], false)
        );
        let tasks = [task(0, "one", "running", "running", ""), task(0, "two", "running", "running", "")];
        let (lines, is_done) = shown(mode, &tasks);
        assert_eq!(lines, ["overall progress: 2 out of 2 tasks", "one: running   9/9", "two: running   9/9"]);
        assert!(is_done);
    }

    #[test]
    fn jobs_run_to_their_end() {
        let job = ReplicatedJob { max_concurrent: Some(2), total_completions: Some(3) };
        let mode = ServiceMode { replicated_job: Some(job), ..ServiceMode::default() };
        let tasks = [
            task(0, "one", "complete", "complete", ""),
            task(1, "one", "complete", "running", ""),
            task(2, "one", "complete", "new", ""),
        ];
        let (lines, is_done) = shown(mode, &tasks);
        let expected = [
            "job progress: 1 out of 3 complete 1/3",
            "active tasks: 2 out of 2 tasks",
            "1/3: complete  10/10",
            "2/3: running   9/10",
            "3/3: new       1/10",
        ];
        assert_eq!(lines, expected);
        assert!(!is_done);
        let mode = ServiceMode { global_job: Some(Global {}), ..ServiceMode::default() };
        let (lines, is_done) = shown(mode, &[task(0, "one", "complete", "complete", "")]);
        assert_eq!(lines, ["job progress: 1 out of 1 complete 1/1", "one: complete  10/10"]);
        assert!(is_done);
    }
}
