//! Tests of the worker: a state or a story in, drafts and wishes out.

use super::{Done, Failure, Input, Output, Step, Worker};
use model::{
    Annotations, Chance, Duration, Machine, Meta, Task, TaskId, TaskSpec, TaskState, TaskStatus, Timestamp,
};
use std::sync::Arc;

/// A task that the scheduler has just given to this machine.
fn task(number: u64, desired: TaskState) -> Arc<Task> {
    Arc::new(Task {
        id: TaskId::random(&mut Chance::from_number(number)),
        meta: Meta::default(),
        spec: TaskSpec::default(),
        service_id: None,
        slot: number,
        node_id: None,
        annotations: Annotations::default(),
        service_annotations: Annotations::default(),
        status: TaskStatus { state: TaskState::Assigned, ..TaskStatus::default() },
        desired_state: desired,
        networks: Vec::new(),
        endpoint: None,
        log_driver: None,
        spec_version: None,
        assigned_generic_resources: Vec::new(),
        job_iteration: None,
        volumes: Vec::new(),
    })
}

/// A worker, its clock, and what it wished for, as text.
struct Bench {
    worker: Worker,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self { worker: Worker::new(), now: Timestamp::EPOCH }
    }

    fn hear(&mut self, input: Input) -> String {
        let wishes = self.worker.handle(self.now, input);
        wishes.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn assign(&mut self, task: &Arc<Task>) -> String {
        self.hear(Input::Assigned { updated: vec![Arc::clone(task)], removed: Vec::new() })
    }

    fn wish(&mut self, task: &Arc<Task>, desired: TaskState) -> String {
        let task = Task { desired_state: desired, ..Task::clone(task) };
        self.assign(&Arc::new(task))
    }

    fn done(&mut self, task: &Arc<Task>, step: Step) -> String {
        self.hear(Input::Done(task.id, step, Ok(Done::default())))
    }

    fn failed(&mut self, task: &Arc<Task>, step: Step, message: &str) -> String {
        let temporary = message.starts_with("temporary");
        let failure = Failure { message: message.to_owned(), temporary, container: None };
        self.hear(Input::Done(task.id, step, Err(failure)))
    }
}

fn word(output: &Output) -> String {
    match output {
        Output::Do(_, step) => format!("do:{step:?}"),
        Output::Cancel(_) => "cancel".to_owned(),
        Output::Report(_, status) if status.err.is_empty() => format!("{}({})", status.state, status.message),
        Output::Report(_, status) => format!("{}({}: {})", status.state, status.message, status.err),
        Output::Remember(_) => "remember".to_owned(),
        Output::Forget(_) => "forget".to_owned(),
    }
}

#[test]
fn a_task_goes_from_assigned_to_complete() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    assert_eq!(bench.assign(&task), "remember do:Prepare preparing(preparing)");
    assert_eq!(bench.done(&task, Step::Prepare), "do:Start starting(starting)");
    assert_eq!(bench.done(&task, Step::Start), "remember do:Wait running(started)");
    assert_eq!(bench.done(&task, Step::Wait), "remember complete(finished)");
    assert_eq!(bench.wish(&task, TaskState::Shutdown), "remember");
}

#[test]
fn a_task_wished_ready_is_made_but_not_started() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Ready));
    bench.assign(&task);
    assert_eq!(bench.done(&task, Step::Prepare), "ready(prepared)");
    assert_eq!(bench.wish(&task, TaskState::Running), "remember do:Start starting(starting)");
}

#[test]
fn a_task_that_cannot_be_prepared_is_rejected_and_one_that_cannot_be_started_fails() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    assert_eq!(
        bench.failed(&task, Step::Prepare, "no such image"),
        "remember rejected(preparing: no such image)"
    );

    let (mut bench, task) = (Bench::new(), self::task(2, TaskState::Running));
    bench.assign(&task);
    bench.done(&task, Step::Prepare);
    assert_eq!(bench.failed(&task, Step::Start, "boom"), "remember failed(starting: boom)");
}

#[test]
fn a_temporary_failure_is_tried_again_after_a_second() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    assert_eq!(bench.failed(&task, Step::Prepare, "temporary: busy"), "");
    assert_eq!(bench.worker.wake_at(), Some(bench.now + Duration::from_secs(1)));
    assert_eq!(bench.hear(Input::Wake), "", "a second is not over");
    bench.now = bench.now + Duration::from_secs(1);
    assert_eq!(bench.hear(Input::Wake), "do:Prepare");
    assert_eq!(bench.worker.wake_at(), None);
}

#[test]
fn a_wish_to_end_does_not_wait_for_the_next_attempt() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    bench.failed(&task, Step::Prepare, "temporary: busy");
    assert_eq!(bench.wish(&task, TaskState::Shutdown), "remember do:Stop");
    assert_eq!(bench.worker.wake_at(), None);
}

#[test]
fn a_running_task_that_shall_end_is_stopped_once_its_wait_is_given_up() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    bench.done(&task, Step::Prepare);
    bench.done(&task, Step::Start);
    assert_eq!(bench.wish(&task, TaskState::Shutdown), "remember cancel");
    assert_eq!(bench.wish(&task, TaskState::Shutdown), "remember", "cancelled once is enough");
    assert_eq!(bench.failed(&task, Step::Wait, "cancelled"), "do:Stop");
    assert_eq!(bench.done(&task, Step::Stop), "remember shutdown(shutdown)");
    assert_eq!(bench.wish(&task, TaskState::Running), "remember", "wishes only grow");
}

#[test]
fn a_task_that_shall_end_before_it_was_taken_needs_no_hands() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Shutdown));
    assert_eq!(bench.assign(&task), "remember shutdown(shutdown)");
}

#[test]
fn a_task_taken_away_is_stopped_removed_and_forgotten_in_silence() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    bench.done(&task, Step::Prepare);
    bench.done(&task, Step::Start);
    assert_eq!(bench.hear(Input::AssignedAll(Vec::new())), "remember cancel");
    assert_eq!(bench.failed(&task, Step::Wait, "cancelled"), "do:Stop");
    assert_eq!(bench.done(&task, Step::Stop), "remember do:Remove");
    assert_eq!(bench.done(&task, Step::Remove), "forget");
    assert_eq!(bench.worker.tasks().count(), 0);
}

#[test]
fn a_task_wished_away_is_removed_once_and_kept_until_the_managers_take_it() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    bench.done(&task, Step::Prepare);
    bench.wish(&task, TaskState::Remove);
    bench.failed(&task, Step::Start, "cancelled");
    assert_eq!(bench.done(&task, Step::Stop), "remember do:Remove shutdown(shutdown)");
    assert_eq!(bench.done(&task, Step::Remove), "");
    let gone = Input::Assigned { updated: Vec::new(), removed: vec![task.id] };
    assert_eq!(bench.hear(gone), "forget");
}

#[test]
fn remembered_tasks_go_on_where_they_were() {
    for (state, expected) in [
        (TaskState::Running, "remember do:Wait"),
        (TaskState::Starting, "remember do:Start"),
        (TaskState::Preparing, "remember do:Prepare"),
        (TaskState::Complete, "remember"),
    ] {
        let mut task = Task::clone(&task(1, TaskState::Running));
        task.status.state = state;
        assert_eq!(Bench::new().hear(Input::Remembered(vec![Arc::new(task)])), expected, "{state}");
    }
}

#[test]
fn a_new_session_is_told_everything() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    bench.assign(&task);
    assert_eq!(bench.hear(Input::Reconnected), "preparing(preparing)");
}

#[test]
fn an_end_that_nobody_waits_for_changes_nothing() {
    let (mut bench, task) = (Bench::new(), task(1, TaskState::Running));
    assert_eq!(bench.done(&task, Step::Start), "");
    bench.assign(&task);
    assert_eq!(bench.done(&task, Step::Start), "");
}
