//! The leader as a whole: what waits is drafted together, a no is said at once, a yes after the commit.

use std::collections::BTreeMap;

use model::node::{ManagerStatus, NodeRole, Reachability};
use model::{
    Chance, Duration, Machine, NodeId, NodeSpec, Runtime, SecretSpec, ServiceMode, ServiceSpec, SessionId,
    TaskId, TaskState, TaskStatus, Timestamp,
};
use store::{Change, State};

use super::fixtures::{book, cluster, node, node_id};
use super::{Input, Leader, Member, Output, Request, SessionEvent, Ticket};

/// A leader, its book, and what it said so far.
struct Stage {
    leader: Leader,
    book: State,
    now: Timestamp,
    proposed: Option<Vec<Change>>,
    said: Vec<String>,
    sessions: BTreeMap<NodeId, SessionId>,
}

impl Stage {
    /// Three nodes that are ready, and the swarm itself.
    fn new() -> Self {
        let book = book(|draft| {
            draft.create(cluster());
            (1..=3).for_each(|number| draft.create(node(number)));
        });
        let now = Timestamp::from_parts(100, 0);
        let leader = Leader::new(&book, node_id(1), Chance::from_number(7), now);
        let mut stage =
            Self { leader, book, now, proposed: None, said: Vec::new(), sessions: BTreeMap::new() };
        stage.hear(Input::Wake);
        stage.settle();
        (1..=3).for_each(|number| stage.open(node_id(number)));
        stage.settle();
        stage.said.clear();
        stage
    }

    fn hear(&mut self, input: Input) {
        for output in self.leader.handle(self.now, input) {
            match output {
                Output::Propose(changes) => {
                    assert!(self.proposed.replace(changes).is_none(), "one proposal is in flight at a time");
                }
                Output::Tell(node, session, _) => drop(self.sessions.insert(node, session)),
                Output::Answer(Ticket(0), Ok(_)) => {}
                Output::Answer(Ticket(ticket), Ok(_)) => self.said.push(format!("{ticket}: yes")),
                Output::Answer(Ticket(ticket), Err(no)) => self.said.push(format!("{ticket}: {no}")),
                Output::Dismiss(node) => self.said.push(format!("dismiss {node}")),
                Output::HandOver(node) => self.said.push(format!("hand over to {node}")),
                Output::Study(_) => self.said.push("study".to_owned()),
                Output::Sign(node, request) => self.said.push(format!("sign {node} {:?}", request.role)),
            }
        }
    }

    fn ask(&mut self, ticket: u64, request: Request) {
        self.hear(Input::Ask(Ticket(ticket), request));
    }

    /// Commits what is proposed, once, and wakes the leader if it wants to be woken then.
    fn commit(&mut self) -> usize {
        let changes = self.commit_only();
        if self.leader.wake_at().is_some_and(|at| at <= self.now) {
            self.hear(Input::Wake);
        }
        changes
    }

    /// Commits what is proposed, once.
    fn commit_only(&mut self) -> usize {
        let changes = self.proposed.take().unwrap_or_default();
        if !changes.is_empty() {
            self.book.apply(self.book.index + 1, &changes);
            self.hear(Input::Committed(Box::new(self.book.clone())));
        }
        changes.len()
    }

    /// Commits until nothing is proposed any more.
    fn settle(&mut self) {
        for _ in 0..100 {
            if self.commit() == 0 {
                return;
            }
        }
        panic!("rounds must end");
    }

    /// Lets all tasks of the book be as they are wished, and says so for their nodes.
    fn obey(&mut self) {
        let orders: Vec<_> = self.book.tasks.iter().cloned().collect();
        for task in orders.iter().filter(|task| task.status.state >= TaskState::Assigned) {
            let state = match task.desired_state {
                TaskState::Ready => TaskState::Ready,
                desired if desired > TaskState::Complete => TaskState::Shutdown,
                _ => TaskState::Running,
            };
            if task.status.state < state {
                self.report(task.node_id.unwrap(), task.id, state);
            }
        }
        self.settle();
    }

    fn report(&mut self, node: NodeId, task: TaskId, state: TaskState) {
        let status = TaskStatus { state, timestamp: Some(self.now), ..TaskStatus::default() };
        let session = self.sessions[&node];
        let updates = vec![(task, status)];
        self.hear(Input::Session(node, SessionEvent::Statuses { ticket: Ticket(0), session, updates }));
    }

    fn open(&mut self, node: NodeId) {
        let (ticket, description, addr) = (Ticket(0), Default::default(), String::new());
        let open = SessionEvent::Open { ticket, description, session: None, addr };
        self.hear(Input::Session(node, open));
        self.settle();
    }
}

fn service(name: &str, replicas: u64) -> ServiceSpec {
    let mut spec = ServiceSpec { mode: ServiceMode::Replicated { replicas }, ..ServiceSpec::default() };
    name.clone_into(&mut spec.annotations.name);
    if let Runtime::Container(container) = &mut spec.task.runtime {
        "nginx".clone_into(&mut container.image);
    }
    spec
}

fn create(name: &str, replicas: u64) -> Request {
    Request::CreateService(Box::new(service(name, replicas)))
}

#[test]
fn a_leader_whose_clock_is_behind_the_book_waits_no_longer_than_it_must() {
    let mut stage = Stage::new();
    let behind = stage.now - Duration::from_secs(3_600);
    let mut leader = Leader::new(&stage.book, node_id(1), Chance::from_number(8), behind);
    let outputs = leader.handle(behind, Input::Wake);
    let Some(Output::Propose(changes)) = outputs.into_iter().next() else { panic!("nodes become unknown") };
    assert!(changes.iter().all(|change| change.object().meta().updated_at >= Some(stage.now)));
    stage.book.apply(stage.book.index + 1, &changes);
    leader.handle(behind, Input::Committed(Box::new(stage.book.clone())));
    assert_eq!(leader.wake_at(), Some(behind + Duration::from_secs(30)), "six periods of its own clock");
}

#[test]
fn a_service_and_its_tasks_and_their_nodes_are_one_proposal() {
    let mut stage = Stage::new();
    stage.ask(1, create("web", 3));
    assert!(stage.said.is_empty(), "a yes waits for the commit");
    stage.commit();
    assert_eq!(stage.said, ["1: yes"]);
    let assigned = stage.book.tasks.iter().filter(|task| task.status.state == TaskState::Assigned);
    assert_eq!(assigned.count(), 3);
}

#[test]
fn what_waits_for_a_commit_is_drafted_together() {
    let mut stage = Stage::new();
    stage.ask(1, create("a", 1));
    for (ticket, name) in [(2, "b"), (3, "c"), (4, "B")] {
        stage.ask(ticket, create(name, 1));
    }
    stage.commit();
    let taken = "4: name conflicts with an existing object: service B already exists";
    assert_eq!(stage.said, ["1: yes", taken], "a no is said at once, on the draft so far");
    stage.commit();
    assert_eq!(stage.said[2..], ["2: yes", "3: yes"]);
    assert_eq!(stage.book.services.len(), 3);
}

#[test]
fn what_comes_together_is_one_proposal() {
    let mut stage = Stage::new();
    let ask = |ticket, name| Input::Ask(Ticket(ticket), create(name, 1));
    stage.hear(Input::Together(vec![ask(1, "a"), ask(2, "b")]));
    stage.commit_only();
    assert_eq!(stage.said, ["1: yes", "2: yes"]);
}

#[test]
fn whoever_waits_is_answered_before_the_next_draft() {
    let mut stage = Stage::new();
    stage.ask(1, create("a", 1));
    stage.ask(2, create("b", 1));
    stage.commit_only();
    assert_eq!(stage.said, ["1: yes"]);
    assert_eq!(stage.proposed, None);
    assert_eq!(stage.leader.wake_at(), Some(stage.now), "it goes on at once");
    stage.hear(Input::Wake);
    assert!(stage.proposed.is_some());
}

#[test]
fn a_commit_that_is_not_the_proposals_answers_nobody() {
    let mut stage = Stage::new();
    stage.ask(1, create("web", 1));
    let mut other = stage.book.clone();
    other.index += 1;
    stage.hear(Input::Committed(Box::new(other)));
    assert!(stage.said.is_empty());
    stage.commit();
    assert_eq!(stage.said, ["1: yes"]);
}

#[test]
fn a_removed_service_goes_at_once_and_its_tasks_when_they_have_stopped() {
    let mut stage = Stage::new();
    stage.ask(1, create("web", 3));
    stage.settle();
    stage.obey();
    let id = stage.book.services.iter().next().unwrap().id;
    stage.ask(2, Request::RemoveService(id));
    stage.commit();
    assert!(stage.book.services.is_empty());
    assert!(stage.book.tasks.iter().all(|task| task.desired_state == TaskState::Remove));
    assert_eq!(stage.book.tasks.len(), 3);
    stage.obey();
    assert!(stage.book.tasks.is_empty());
}

#[test]
fn many_replicas_take_several_entries_of_bounded_weight() {
    let mut stage = Stage::new();
    stage.ask(1, create("web", 3000));
    let mut entries = 0;
    while let Some(changes) = &stage.proposed {
        let bytes: usize = changes.iter().map(|change| change.object().weight()).sum();
        assert!(bytes < model::limits::ENTRY_BYTES_MAX, "{bytes}");
        stage.commit();
        entries += 1;
    }
    assert!(entries > 1);
    let assigned = stage.book.tasks.iter().filter(|task| task.status.state == TaskState::Assigned);
    assert_eq!(assigned.count(), 3000);
}

#[test]
fn a_new_leader_over_a_settled_book_changes_no_task() {
    let mut stage = Stage::new();
    for (ticket, name) in [(1, "a"), (2, "b"), (3, "c")] {
        stage.ask(ticket, create(name, ticket * 2));
    }
    stage.settle();
    stage.obey();
    let tasks = stage.book.tasks.clone();
    stage.leader = Leader::new(&stage.book, node_id(1), Chance::from_number(8), stage.now);
    stage.hear(Input::Wake);
    stage.settle();
    assert_eq!(stage.book.tasks, tasks);
}

#[test]
fn too_large_a_secret_does_not_share_an_entry_with_others() {
    let mut stage = Stage::new();
    stage.ask(1, create("web", 1));
    for ticket in 2..6 {
        let mut spec = SecretSpec { data: vec![1; 500_000], ..SecretSpec::default() };
        spec.annotations.name = format!("s{ticket}");
        stage.ask(ticket, Request::CreateSecret(Box::new(spec)));
    }
    stage.commit();
    for _ in 0..4 {
        assert_eq!(stage.proposed.as_ref().map(Vec::len), Some(1));
        stage.commit();
    }
    assert_eq!(stage.book.secrets.len(), 4);
}

#[test]
fn a_new_node_gets_its_certificate_once_it_is_signed() {
    let mut stage = Stage::new();
    let cluster = stage.book.cluster().unwrap().clone();
    let rotation = super::Rotation { worker_token: Some("token".to_owned()), ..Default::default() };
    let (id, version, spec) = (cluster.id, cluster.meta.version, Box::new(cluster.spec.clone()));
    stage.ask(1, Request::UpdateCluster { id, version, spec, rotation });
    let (token, csr) = ("token".to_owned(), b"csr".to_vec());
    stage.ask(2, Request::IssueCertificate { token, csr, availability: Default::default() });
    stage.settle();
    let new = stage.book.nodes.iter().find(|node| !node.certificate.csr.is_empty()).unwrap().id;
    assert_eq!(stage.said, ["1: yes".to_owned(), "2: yes".to_owned(), format!("sign {new} Worker")]);
    stage.hear(Input::Signed(new, Ok(b"chain".to_vec())));
    stage.settle();
    assert_eq!(stage.book.nodes.get(new).unwrap().certificate.certificate, b"chain");
    assert_eq!(stage.said.len(), 3, "it is asked once");
}

#[test]
fn a_signer_that_does_not_answer_is_asked_again() {
    let mut stage = Stage::new();
    let node = node_id(2);
    stage.ask(1, Request::RenewCertificate { node, csr: b"csr".to_vec() });
    stage.settle();
    let asked = format!("sign {node} Worker");
    assert_eq!(stage.said, ["1: yes".to_owned(), asked.clone()]);
    stage.now = stage.now + Duration::from_secs(9);
    stage.hear(Input::Wake);
    assert_eq!(stage.said.len(), 2);
    stage.now = stage.now + Duration::from_secs(1);
    stage.hear(Input::Wake);
    assert_eq!(stage.said[2..], [asked]);
    stage.hear(Input::Signed(node, Ok(b"chain".to_vec())));
    stage.settle();
    assert_eq!(stage.book.nodes.get(node).unwrap().certificate.certificate, b"chain");
}

/// Three managers, of whom node 1 leads.
fn managers() -> Stage {
    let mut stage = Stage::new();
    (1..=3).for_each(|number| wish_role(&mut stage, number, NodeRole::Manager));
    group(&mut stage, &[1, 2, 3], &[]);
    stage.said.clear();
    stage
}

fn wish_role(stage: &mut Stage, number: u64, desired_role: NodeRole) {
    let node = stage.book.nodes.get(node_id(number)).unwrap().clone();
    let spec = NodeSpec { desired_role, ..node.spec.clone() };
    stage.ask(1, Request::UpdateNode { id: node.id, version: node.meta.version, spec });
    stage.settle();
}

/// These are in the group, and some of them cannot be reached.
fn group(stage: &mut Stage, members: &[u64], lost: &[u64]) {
    let member = |number: &u64| {
        let reachability =
            if lost.contains(number) { Reachability::Unreachable } else { Reachability::Reachable };
        let (leader, addr) = (*number == 1, "10.0.0.1:2377".to_owned());
        let status = ManagerStatus { reachability, leader, addr, raft_id: *number };
        Member { node_id: node_id(*number), status }
    };
    stage.hear(Input::Members(members.iter().map(member).collect()));
    stage.settle();
}

#[test]
fn a_demoted_manager_is_dismissed_and_is_a_worker_when_it_has_gone() {
    let mut stage = managers();
    let role = |stage: &Stage| stage.book.nodes.get(node_id(2)).unwrap().role;
    assert_eq!(role(&stage), NodeRole::Manager);
    wish_role(&mut stage, 2, NodeRole::Worker);
    assert_eq!(stage.said, ["1: yes".to_owned(), format!("dismiss {}", node_id(2))]);
    assert_eq!(role(&stage), NodeRole::Manager, "it still is a member");
    group(&mut stage, &[1, 3], &[]);
    assert_eq!(role(&stage), NodeRole::Worker);
}

/// What is wished when it is time to wish again.
fn wished_again(stage: &mut Stage) -> Vec<String> {
    stage.said.clear();
    stage.now = stage.now + Duration::from_secs(5);
    stage.hear(Input::Wake);
    std::mem::take(&mut stage.said)
}

#[test]
fn nobody_is_dismissed_who_is_needed() {
    let mut stage = managers();
    wish_role(&mut stage, 2, NodeRole::Worker);
    group(&mut stage, &[1, 2, 3], &[3]);
    assert!(wished_again(&mut stage).is_empty(), "one of two would be left");
    group(&mut stage, &[1, 2, 3], &[2]);
    assert_eq!(wished_again(&mut stage), [format!("dismiss {}", node_id(2))]);
}

#[test]
fn a_leader_that_shall_go_hands_over_to_one_that_shall_stay() {
    let mut stage = managers();
    [1, 2].into_iter().for_each(|number| wish_role(&mut stage, number, NodeRole::Worker));
    let hand_over = format!("hand over to {}", node_id(3));
    assert_eq!(wished_again(&mut stage), [hand_over, format!("dismiss {}", node_id(2))]);
    group(&mut stage, &[1, 2, 3], &[3]);
    assert!(wished_again(&mut stage).is_empty(), "nobody who shall stay can be reached");
}

#[test]
fn three_keys_for_each_subsystem_are_changed_one_by_one() {
    let mut stage = Stage::new();
    let keys = |stage: &Stage| stage.book.cluster().unwrap().network_bootstrap_keys.clone();
    let times = |stage: &Stage| {
        let of = |name: &str| {
            let keys = keys(stage).into_iter().filter(|key| key.subsystem == format!("networking:{name}"));
            keys.map(|key| key.lamport_time).collect::<Vec<_>>()
        };
        (of("gossip"), of("ipsec"))
    };
    let (gossip, ipsec) = times(&stage);
    let first = gossip[0];
    assert_eq!(gossip, [first, first + 1, first + 2]);
    assert_eq!(ipsec, [first + 3, first + 4, first + 5]);
    stage.now = stage.now + Duration::from_secs(12 * 3600);
    stage.hear(Input::Wake);
    stage.settle();
    assert_eq!(times(&stage).0, [first + 1, first + 2, first + 6]);
    assert_eq!(times(&stage).1, [first + 4, first + 5, first + 7]);
    assert!(keys(&stage).iter().all(|key| key.key.len() == 16));
}
