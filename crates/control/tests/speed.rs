//! How fast tasks get nodes. Run with `--ignored --nocapture`, optimised; it prints a number and asserts little,
//! since machines differ.

use std::time::Instant;

use model::node::{Availability, Certificate, Membership, NodeDescription, NodeRole, NodeState, NodeStatus};
use model::{
    Annotations, Chance, Cx, Meta, Node, NodeId, NodeSpec, ServiceId, Task, TaskId, TaskSpec, TaskState,
    TaskStatus, Timestamp, Version,
};
use skep_control::leader::allocate::{self, Pools};
use skep_control::leader::schedule::{self, Ledger};
use store::{Draft, State};

#[test]
#[ignore = "measures"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn many_tasks_get_nodes_in_a_round() {
    for (nodes, services, tasks) in [(1000, 1, 20_000), (1000, 1000, 20), (1000, 20_000, 1)] {
        let chance = &mut Chance::from_number(1);
        let mut state = State { index: 1, ..State::default() };
        let mut draft = Draft::of(&state, Timestamp::EPOCH);
        (0..nodes).for_each(|_| draft.create(node(chance)));
        state.apply(2, &draft.into_changes());
        let (mut ledger, mut pools) = (Ledger::of(&state), Pools::of(&state));

        let mut draft = Draft::of(&state, Timestamp::EPOCH);
        for _ in 0..services {
            let service = ServiceId::random(chance);
            (0..tasks).for_each(|slot| draft.create(task(service, slot, chance)));
        }
        let begin = Instant::now();
        allocate::run(&mut draft, &mut pools);
        let allocated = begin.elapsed();
        schedule::run(&mut draft, &mut ledger, &Cx { now: Timestamp::EPOCH, chance });
        let took = begin.elapsed();
        let placed = draft.tasks.iter().filter(|task| task.node_id.is_some()).count();
        assert_eq!(placed, services * tasks as usize);
        let rate = placed as f64 / (took - allocated).as_secs_f64();
        println!(
            "{services} services of {tasks} on {nodes} nodes: {rate:.0}/s, allocating took {allocated:?}"
        );
    }
}

fn node(chance: &mut Chance) -> Node {
    let id = NodeId::random(chance);
    Node {
        id,
        meta: Meta::default(),
        spec: NodeSpec {
            annotations: Annotations::default(),
            desired_role: NodeRole::Worker,
            membership: Membership::Accepted,
            availability: Availability::Active,
        },
        description: Some(NodeDescription::default()),
        status: NodeStatus { state: NodeState::Ready, ..NodeStatus::default() },
        manager_status: None,
        attachments: Vec::new(),
        certificate: Certificate::default(),
        role: NodeRole::Worker,
        vxlan_port: 0,
    }
}

fn task(service: ServiceId, slot: u64, chance: &mut Chance) -> Task {
    Task {
        id: TaskId::random(chance),
        meta: Meta::default(),
        spec: TaskSpec::default(),
        service_id: Some(service),
        slot: slot + 1,
        node_id: None,
        annotations: Annotations::default(),
        service_annotations: Annotations::default(),
        status: TaskStatus::default(),
        desired_state: TaskState::Running,
        networks: Vec::new(),
        endpoint: None,
        log_driver: None,
        spec_version: Some(Version::default()),
        assigned_generic_resources: Vec::new(),
        job_iteration: None,
        volumes: Vec::new(),
    }
}
