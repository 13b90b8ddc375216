//! Tests of dispatch: a state or a story in, drafts and wishes out.

use model::node::{NodeDescription, NodeState};
use model::spec::container::{ContainerSpec, SecretReference};
use model::{
    Chance, Cx, Duration, Meta, Runtime, Secret, SecretId, SecretSpec, SessionId, Task, TaskId, TaskState,
    TaskStatus, Timestamp,
};
use store::{Change, Draft, State};

use super::Dispatcher;
use crate::leader::fixtures::{book, in_state, node, node_id, task, task_id};
use crate::leader::input::{Assignment, AssignmentChange, Output, SessionEvent, Tell, Ticket};
use crate::leader::request::Answer;

/// A dispatcher, its book, and its clock.
struct Bench {
    dispatcher: Dispatcher,
    state: State,
    now: Timestamp,
    chance: Chance,
}

impl Bench {
    fn of(state: State) -> Self {
        let now = Timestamp::EPOCH + Duration::from_secs(1000);
        let dispatcher = Dispatcher::of(&state, Some(node_id(99)), now);
        let mut bench = Self { dispatcher, state, now, chance: Chance::from_number(5) };
        bench.round();
        bench
    }

    fn hear(&mut self, node: u64, event: SessionEvent) -> Vec<Output> {
        let cx = &mut Cx { now: self.now, chance: &mut self.chance };
        self.dispatcher.hear(&self.state, node_id(node), event, cx)
    }

    /// One round of the leader, in which only the dispatcher drafts.
    fn round(&mut self) -> Vec<Output> {
        let mut draft = Draft::of(&self.state, self.now);
        self.dispatcher.draft(&mut draft, &mut Cx { now: self.now, chance: &mut self.chance });
        self.commit(draft)
    }

    fn commit(&mut self, draft: Draft) -> Vec<Output> {
        let changes: Vec<Change> = draft.into_changes();
        self.state.apply(self.state.index + 1, &changes);
        self.dispatcher.committed(&self.state, &changes, self.now)
    }

    fn change(&mut self, fill: impl FnOnce(&mut Draft)) -> String {
        let mut draft = Draft::of(&self.state, self.now);
        fill(&mut draft);
        words(&self.commit(draft))
    }

    fn open(&mut self, node: u64) -> (SessionId, String) {
        let mut wishes = self.hear(node, open(None));
        wishes.extend(self.round());
        let session = wishes.iter().find_map(|wish| match wish {
            Output::Answer(_, Ok(Answer::Session(session))) => Some(*session),
            _ => None,
        });
        (session.unwrap_or(SessionId::LOWEST), words(&wishes))
    }

    fn listen(&mut self, node: u64) -> (SessionId, String) {
        let (session, _) = self.open(node);
        (session, words(&self.hear(node, SessionEvent::Listen { session })))
    }

    fn status(&mut self, node: u64, session: SessionId, task: u64, state: TaskState) -> String {
        let status = TaskStatus { state, ..TaskStatus::default() };
        let updates = vec![(task_id(task), status)];
        let mut wishes = self.hear(node, SessionEvent::Statuses { ticket: Ticket(2), session, updates });
        wishes.extend(self.round());
        words(&wishes)
    }

    fn state_of(&self, task: u64) -> TaskState {
        self.state.tasks.get(task_id(task)).unwrap().status.state
    }

    fn node_is(&self, node: u64) -> (NodeState, &str) {
        let status = &self.state.nodes.get(node_id(node)).unwrap().status;
        (status.state, &status.message)
    }
}

fn open(session: Option<SessionId>) -> SessionEvent {
    let description = Box::new(NodeDescription::default());
    SessionEvent::Open { ticket: Ticket(1), description, session, addr: "10.9.0.9".to_owned() }
}

/// What is wished, in short. Ids are left out where the test has one of a kind.
fn words(wishes: &[Output]) -> String {
    wishes.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn word(wish: &Output) -> String {
    match wish {
        Output::Answer(_, Ok(Answer::Session(_))) => "session".to_owned(),
        Output::Answer(_, Ok(Answer::Heartbeat(_))) => "beat".to_owned(),
        Output::Answer(_, Ok(_)) => "yes".to_owned(),
        Output::Answer(_, Err(refusal)) => format!("no({})", refusal.message),
        Output::Tell(_, _, Tell::Session(_)) => "message".to_owned(),
        Output::Tell(_, _, Tell::End(refusal)) => format!("end({})", refusal.message),
        Output::Tell(_, _, Tell::Assignments(all)) => {
            let changes: Vec<String> = all.changes.iter().map(change_word).collect();
            let kind = if all.complete { "all" } else { "diff" };
            format!("{kind}#{}>{}[{}]", all.applies_to, all.results_in, changes.join(" "))
        }
        Output::Propose(_)
        | Output::Sign(..)
        | Output::Study(_)
        | Output::Dismiss(_)
        | Output::HandOver(_) => {
            unreachable!("not the dispatcher's")
        }
    }
}

fn change_word(change: &AssignmentChange) -> String {
    let short = |id: TaskId| id.as_str().trim_start_matches("task").trim_start_matches('0').to_owned();
    match change {
        AssignmentChange::Update(Assignment::Task(task)) => {
            format!("{}:{}", short(task.id), task.desired_state)
        }
        AssignmentChange::Update(Assignment::Secret(_)) => "secret".to_owned(),
        AssignmentChange::Update(_) => "thing".to_owned(),
        AssignmentChange::RemoveTask(id) => format!("-{}", short(*id)),
        AssignmentChange::RemoveSecret(_) => "-secret".to_owned(),
        AssignmentChange::RemoveConfig(_) | AssignmentChange::RemoveVolume(_) => "-thing".to_owned(),
    }
}

fn assigned(number: u64, node: u64) -> Task {
    let mut task = in_state(task(number, 1), TaskState::Assigned);
    task.node_id = Some(node_id(node));
    task
}

fn secret() -> Secret {
    let id = SecretId::random(&mut Chance::from_number(3));
    Secret { id, meta: Meta::default(), spec: SecretSpec::default(), internal: false }
}

fn with_secret(mut task: Task) -> Task {
    let secrets = vec![SecretReference { secret_id: secret().id, secret_name: String::new(), file: None }];
    task.spec.runtime = Runtime::Container(Box::new(ContainerSpec { secrets, ..ContainerSpec::default() }));
    task
}

#[test]
fn a_new_leader_does_not_know_who_lives_until_it_hears_them() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    let moved = r#"Node moved to "unknown" state due to leadership change in cluster"#;
    assert_eq!(bench.node_is(1), (NodeState::Unknown, moved));
    assert_eq!(bench.dispatcher.wake_at(), Some(bench.now + Duration::from_secs(30)));
    bench.now = bench.now + Duration::from_secs(30);
    bench.round();
    assert_eq!(bench.node_is(1), (NodeState::Down, r#"heartbeat failure for node in "unknown" state"#));
}

#[test]
fn a_node_is_ready_once_its_session_is_in_the_book() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    let (_, told) = bench.open(1);
    assert_eq!(told, "session message");
    assert_eq!(bench.node_is(1), (NodeState::Ready, ""));
    assert_eq!(bench.state.nodes.get(node_id(1)).unwrap().status.addr, "10.9.0.9");
}

#[test]
fn a_node_that_misses_two_heartbeats_is_down_and_must_come_anew() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    let (session, _) = bench.open(1);
    bench.now = bench.now + Duration::from_secs(10);
    let beat = SessionEvent::Heartbeat { ticket: Ticket(7), session };
    let Output::Answer(_, Ok(Answer::Heartbeat(period))) = bench.hear(1, beat.clone()).remove(0) else {
        panic!()
    };
    assert!((Duration::from_millis(4500)..Duration::from_millis(5500)).contains(&period), "{period:?}");
    assert_eq!(bench.dispatcher.wake_at(), Some(bench.now + period * 5 / 2));
    bench.now = bench.now + period * 5 / 2;
    assert!(bench.dispatcher.wants_draft(bench.now));
    assert_eq!(words(&bench.round()), "end(session invalid)");
    assert_eq!(bench.node_is(1), (NodeState::Down, "heartbeat failure"));
    assert_eq!(words(&bench.hear(1, beat)), "no(node not registered)");
    assert_eq!(bench.open(1).1, "session message");
}

#[test]
fn a_leader_whose_clock_leapt_blames_nobody() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    bench.open(1);
    bench.now = bench.now + Duration::from_secs(3_600);
    bench.round();
    assert_eq!(bench.node_is(1), (NodeState::Ready, ""));
    assert_eq!(bench.dispatcher.wake_at(), Some(bench.now + Duration::from_secs(5)));
}

#[test]
fn a_second_session_ends_the_first() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    let (first, _) = bench.open(1);
    assert_eq!(bench.open(1).1, "end(session invalid) session message");
    assert_eq!(
        words(&bench.hear(1, SessionEvent::Heartbeat { ticket: Ticket(7), session: first })),
        "no(session invalid)"
    );
    assert_eq!(words(&bench.hear(1, SessionEvent::Listen { session: first })), "end(session invalid)");
}

#[test]
fn a_session_can_be_taken_up_again() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    let (session, _) = bench.open(1);
    bench.hear(1, SessionEvent::Closed { session });
    let mut wishes = bench.hear(1, open(Some(session)));
    wishes.extend(bench.round());
    assert_eq!(words(&wishes), "session message");
    let same = |wish: &Output| matches!(wish, Output::Answer(_, Ok(Answer::Session(it))) if *it == session);
    assert!(wishes.iter().any(same));
}

#[test]
fn strangers_and_those_who_come_too_often_are_refused() {
    let mut bench = Bench::of(book(|draft| draft.create(node(1))));
    assert_eq!(bench.open(2).1, "no(node not found)");
    for _ in 0..3 {
        bench.open(1);
    }
    let often = format!("no(node {} exceeded rate limit count of registrations)", node_id(1));
    assert_eq!(bench.open(1).1, often);
    bench.now = bench.now + Duration::from_secs(8);
    assert_eq!(bench.open(1).1, "end(session invalid) session message");
}

#[test]
fn work_is_told_whole_then_as_differences() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(node(2));
        draft.create(assigned(1, 1));
        draft.create(assigned(2, 2));
    }));
    assert_eq!(bench.listen(1).1, "all#0>1[1:running]");
    assert_eq!(bench.change(|draft| draft.create(assigned(3, 1))), "diff#1>2[3:running]");
    assert_eq!(bench.change(|draft| draft.create(assigned(4, 2))), "");
    let stop =
        |draft: &mut Draft| draft.update(Task { desired_state: TaskState::Shutdown, ..assigned(3, 1) });
    assert_eq!(bench.change(stop), "diff#2>3[3:shutdown]");
    let gone = |draft: &mut Draft| {
        let task = draft.tasks.get(task_id(3)).unwrap().clone();
        draft.remove(&task);
    };
    assert_eq!(bench.change(gone), "diff#3>4[-3]");
}

#[test]
fn a_status_is_written_stamped_and_not_echoed() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(assigned(1, 1));
    }));
    let (session, _) = bench.listen(1);
    assert_eq!(bench.status(1, session, 1, TaskState::Running), "yes");
    let status = bench.state.tasks.get(task_id(1)).unwrap().status.clone();
    assert_eq!((status.state, status.applied_by), (TaskState::Running, Some(node_id(99))));
    assert_eq!(status.applied_at, Some(bench.now));
    assert_eq!(bench.status(1, session, 1, TaskState::Starting), "yes");
    assert_eq!(bench.state_of(1), TaskState::Running, "a status never goes back");
    assert_eq!(bench.status(1, session, 77, TaskState::Running), "yes", "nobody misses an unknown task");
}

#[test]
fn nobody_speaks_of_the_tasks_of_others() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(assigned(2, 2));
    }));
    let (session, _) = bench.listen(1);
    let told = bench.status(1, session, 2, TaskState::Failed);
    assert_eq!(told, "no(cannot update a task not assigned this node)");
    assert_eq!(bench.state_of(2), TaskState::Assigned);
}

#[test]
fn between_two_drafts_only_the_furthest_status_is_kept() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(assigned(1, 1));
    }));
    let (session, _) = bench.listen(1);
    for state in [TaskState::Preparing, TaskState::Running, TaskState::Starting] {
        let updates = vec![(task_id(1), TaskStatus { state, ..TaskStatus::default() })];
        bench.hear(1, SessionEvent::Statuses { ticket: Ticket(2), session, updates });
    }
    assert_eq!(words(&bench.round()), "yes yes yes");
    assert_eq!(bench.state_of(1), TaskState::Running);
}

#[test]
fn a_secret_comes_with_its_first_task_and_goes_with_its_last() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(secret());
        draft.create(with_secret(assigned(1, 1)));
    }));
    let (session, told) = bench.listen(1);
    assert_eq!(told, "all#0>1[secret 1:running]");
    let second = bench.change(|draft| draft.create(with_secret(assigned(2, 1))));
    assert_eq!(second, "diff#1>2[2:running]");
    assert_eq!(bench.status(1, session, 1, TaskState::Failed), "yes");
    assert_eq!(bench.status(1, session, 2, TaskState::Failed), "yes diff#2>3[-secret]");
}

#[test]
fn a_node_that_stays_down_for_a_day_loses_its_tasks() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(in_state(assigned(1, 1), TaskState::Running));
        draft.create(in_state(assigned(2, 1), TaskState::Failed));
    }));
    bench.now = bench.now + Duration::from_secs(30);
    bench.round();
    assert_eq!(bench.state_of(1), TaskState::Running);
    bench.now = bench.now + Duration::from_secs(24 * 3600);
    bench.round();
    assert_eq!((bench.state_of(1), bench.state_of(2)), (TaskState::Orphaned, TaskState::Failed));
    assert_eq!(bench.dispatcher.wake_at(), None);
}

#[test]
fn a_node_that_is_removed_is_told_to_end_its_work_and_then_sent_away() {
    let mut bench = Bench::of(book(|draft| {
        draft.create(node(1));
        draft.create(in_state(assigned(3, 1), TaskState::Running));
    }));
    let (session, told) = bench.listen(1);
    assert_eq!(told, "all#0>1[3:running]");
    let told = bench.change(|draft| {
        let node = draft.nodes.get(node_id(1)).unwrap().clone();
        draft.remove(&node);
        draft.update(in_state(assigned(3, 1), TaskState::Orphaned));
    });
    assert_eq!(told, "all#1>2[]");
    assert_eq!(bench.dispatcher.wake_at(), None);
    let beat = SessionEvent::Heartbeat { ticket: Ticket(3), session };
    assert_eq!(words(&bench.hear(1, beat)), "no(node not registered)");
    bench.hear(1, SessionEvent::Closed { session });
    assert_eq!(words(&bench.round()), "");
}
