//! Tests of scheduling: a state or a story in, drafts and wishes out.

use model::node::{Availability, EngineDescription, NodeState, PluginDescription};
use model::service::Endpoint;
use model::spec::endpoint::{PortConfig, PublishMode};
use model::spec::placement::{Placement, Preference};
use model::spec::resources::{GenericResource, Platform, ResourceRequirements, Resources};
use model::{Chance, Cx, Driver, Duration, Node, Task, TaskState, Timestamp};
use store::{Draft, State};

use super::{Ledger, run, suits};
use crate::leader::fixtures::{book, change, in_state, node, node_id, task, task_id};

fn pending(number: u64, service: u64) -> Task {
    in_state(task(number, service), TaskState::Pending)
}

fn placed(placement: Placement) -> Task {
    let mut task = pending(1, 1);
    task.spec.placement = Some(placement);
    task
}

/// Schedules everything in the book; returns who is where, or why not.
fn schedule(state: &mut State) -> String {
    schedule_at(state, Timestamp::EPOCH)
}

fn schedule_at(state: &mut State, now: Timestamp) -> String {
    let mut ledger = Ledger::of(state);
    let changes = change(state, |draft| {
        run(draft, &mut ledger, &Cx { now, chance: &mut Chance::from_number(1) });
    });
    assert_eq!(ledger, Ledger::of(state), "the ledger is the book's");
    let mut draft = Draft::of(state, now);
    run(&mut draft, &mut ledger, &Cx { now, chance: &mut Chance::from_number(1) });
    assert!(draft.is_empty(), "a second round drafts nothing, not {:?}", draft.into_changes());
    let mut tasks: Vec<_> = changes.iter().map(|change| change.object().id()).collect();
    tasks.sort();
    let told = tasks.iter().map(|id| {
        let task = state.tasks.get(id.parse().unwrap()).unwrap();
        match task.node_id {
            Some(node) if task.status.err.is_empty() => {
                let hostname = &state.nodes.get(node).unwrap().description.as_ref().unwrap().hostname;
                format!("{}->{hostname}", task.slot)
            }
            _ => format!("{}: {}", task.slot, task.status.err),
        }
    });
    told.collect::<Vec<_>>().join(" ")
}

fn nodes(draft: &mut Draft, count: u64) {
    (1..=count).for_each(|number| draft.create(node(number)));
}

#[test]
fn tasks_spread_over_nodes_with_the_fewest() {
    let mut state = book(|draft| {
        nodes(draft, 3);
        let mut old = in_state(task(9, 1), TaskState::Running);
        old.node_id = Some(node_id(1));
        draft.create(old);
        (1..=5).for_each(|number| draft.create(pending(number, 1)));
    });
    assert_eq!(schedule(&mut state), "1->n2 2->n3 3->n1 4->n2 5->n3");
}

#[test]
fn another_service_prefers_the_node_with_less_to_do() {
    let mut state = book(|draft| {
        nodes(draft, 2);
        let mut old = in_state(task(9, 1), TaskState::Running);
        old.node_id = Some(node_id(1));
        draft.create(old);
        draft.create(pending(1, 2));
    });
    assert_eq!(schedule(&mut state), "1->n2");
}

#[test]
fn tasks_that_shall_end_weigh_nothing_in_the_order_but_keep_their_memory() {
    let mut state = book(|draft| {
        nodes(draft, 1);
        let mut old = in_state(task(9, 1), TaskState::Running);
        old.node_id = Some(node_id(1));
        old.desired_state = TaskState::Shutdown;
        old.spec.resources = reserve(0, 8 << 30);
        draft.create(old);
        let mut new = pending(1, 1);
        new.spec.resources = reserve(0, 1 << 30);
        draft.create(new);
        draft.create(pending(2, 2));
    });
    assert_eq!(schedule(&mut state), "1: no suitable node (insufficient resources on 1 node) 2->n1");
}

fn reserve(nano_cpus: i64, memory_bytes: i64) -> Option<ResourceRequirements> {
    let reservations = Some(Resources { nano_cpus, memory_bytes, generic: Vec::new() });
    Some(ResourceRequirements { reservations, ..ResourceRequirements::default() })
}

#[test]
fn a_node_is_filled_up_to_its_reservations() {
    let mut state = book(|draft| {
        nodes(draft, 2);
        for number in 1..=5 {
            let mut task = pending(number, 1);
            task.spec.resources = reserve(2_000_000_000, 0);
            draft.create(task);
        }
    });
    let expected = "1->n1 2->n2 3->n1 4->n2 5: no suitable node (insufficient resources on 2 nodes)";
    assert_eq!(schedule(&mut state), expected);
}

#[test]
fn what_holds_nodes_back_is_explained_the_most_frequent_first() {
    let mut state = book(|draft| {
        let mut paused = node(1);
        paused.spec.availability = Availability::Pause;
        let mut down = node(2);
        down.status.state = NodeState::Down;
        draft.create(paused);
        draft.create(down);
        draft.create(node(3));
        draft.create(placed(Placement {
            constraints: vec!["node.hostname==other".to_owned()],
            ..Placement::default()
        }));
    });
    let expected = "1: no suitable node (2 nodes not available for new tasks; \
                    scheduling constraints not satisfied on 1 node)";
    assert_eq!(schedule(&mut state), expected);
    assert_eq!(schedule(&mut book(|draft| draft.create(pending(1, 1)))), "1: no suitable node");
}

#[test]
fn constraints_know_every_key() {
    let mut node = node(7);
    node.spec.annotations.labels.insert("zone".to_owned(), "North".to_owned());
    let description = node.description.as_mut().unwrap();
    description.platform = Some(Platform { architecture: "x86_64".to_owned(), os: "linux".to_owned() });
    description.engine.get_or_insert_default().labels.insert("disk".to_owned(), "ssd".to_owned());
    let id = format!("node.id == {}", node.id);
    for (constraint, holds) in [
        (id.as_str(), true),
        ("node.hostname==N7", true),
        ("node.hostname!=n7", false),
        ("node.role==worker", true),
        ("node.role==manager", false),
        ("node.ip==10.9.0.7", true),
        ("node.ip==10.9.0.0/24", true),
        ("node.ip!=10.9.0.0/24", false),
        ("node.ip==10.8.0.0/16", false),
        ("node.platform.os==linux", true),
        ("node.platform.arch==x86_64", true),
        ("node.platform.arch==amd64", false),
        ("node.labels.zone==north", true),
        ("NODE.LABELS.zone==north", true),
        ("node.labels.rack!=north", true),
        ("node.labels.rack==north", false),
        ("engine.labels.disk==ssd", true),
        ("planet==earth", false),
        ("planet!=earth", false),
        ("no constraint at all", true),
    ] {
        assert_eq!(suits(&[constraint.to_owned()], &node), holds, "{constraint}");
    }
}

#[test]
fn platforms_match_under_both_of_their_names() {
    let with = |architecture: &str| {
        let mut node = node(1);
        let platform = Platform { architecture: architecture.to_owned(), os: "linux".to_owned() };
        node.description.as_mut().unwrap().platform = Some(platform);
        node
    };
    let for_image = |architecture: &str| Placement {
        platforms: vec![Platform { architecture: architecture.to_owned(), os: "linux".to_owned() }],
        ..Placement::default()
    };
    for (image, here, expected) in [
        ("amd64", "x86_64", "1->n1"),
        ("arm64", "aarch64", "1->n1"),
        ("", "riscv64", "1->n1"),
        ("arm64", "x86_64", "1: no suitable node (unsupported platform on 1 node)"),
    ] {
        let mut state = book(|draft| {
            draft.create(with(here));
            draft.create(placed(for_image(image)));
        });
        assert_eq!(schedule(&mut state), expected, "{image} on {here}");
    }
}

#[test]
fn a_port_of_a_node_is_given_once() {
    let port = PortConfig {
        target_port: 80,
        published_port: 8080,
        publish_mode: PublishMode::Host,
        ..PortConfig::default()
    };
    let mut state = book(|draft| {
        nodes(draft, 2);
        for number in 1..=3 {
            let mut task = pending(number, number);
            task.endpoint = Some(Endpoint { ports: vec![port.clone()], ..Endpoint::default() });
            draft.create(task);
        }
    });
    let expected = "1->n1 2->n2 3: no suitable node (host-mode port already in use on 2 nodes)";
    assert_eq!(schedule(&mut state), expected);
}

#[test]
fn a_node_takes_at_most_max_replicas() {
    let mut state = book(|draft| {
        nodes(draft, 2);
        for number in 1..=3 {
            let mut task = placed(Placement { max_replicas: 1, ..Placement::default() });
            (task.id, task.slot) = (task_id(number), number);
            draft.create(task);
        }
    });
    assert_eq!(schedule(&mut state), "1->n1 2->n2 3: no suitable node (max replicas per node limit exceed)");
}

fn with_plugins(mut node: Node, plugins: &[(&str, &str)]) -> Node {
    let all = plugins.iter();
    let plugins = all.map(|(kind, name)| PluginDescription { kind: (*kind).into(), name: (*name).into() });
    let engine = EngineDescription { plugins: plugins.collect(), ..EngineDescription::default() };
    node.description.as_mut().unwrap().engine = Some(engine);
    node
}

#[test]
fn a_log_driver_is_only_missed_on_nodes_that_name_theirs() {
    for (plugins, expected) in [
        (&[("Volume", "local")][..], "1->n1"),
        (&[("Log", "json-file"), ("Log", "fluentd:latest")], "1->n1"),
        (&[("Log", "json-file")], "1: no suitable node (missing plugin on 1 node)"),
    ] {
        let mut state = book(|draft| {
            draft.create(with_plugins(node(1), plugins));
            let mut task = pending(1, 1);
            task.log_driver = Some(Driver { name: "fluentd".to_owned(), ..Driver::default() });
            draft.create(task);
        });
        assert_eq!(schedule(&mut state), expected, "{plugins:?}");
    }
}

#[test]
fn preferences_spread_over_labels_first() {
    let mut state = book(|draft| {
        for (number, zone) in [(1, "a"), (2, "a"), (3, "a"), (4, "b")] {
            let mut node = node(number);
            node.spec.annotations.labels.insert("zone".to_owned(), zone.to_owned());
            draft.create(node);
        }
        for number in 1..=6 {
            let mut task = pending(number, 1);
            let preferences = vec![Preference::Spread("Node.Labels.zone".to_owned())];
            task.spec.placement = Some(Placement { preferences, ..Placement::default() });
            draft.create(task);
        }
    });
    assert_eq!(schedule(&mut state), "1->n1 2->n4 3->n2 4->n4 5->n3 6->n4");
}

#[test]
fn a_full_branch_falls_off() {
    let mut state = book(|draft| {
        for (number, zone) in [(1, "a"), (2, "b")] {
            let mut node = node(number);
            node.spec.annotations.labels.insert("zone".to_owned(), zone.to_owned());
            draft.create(node);
        }
        for number in 1..=6 {
            let mut task = pending(number, 1);
            task.spec.resources = reserve(2_000_000_000, 0);
            let preferences = vec![Preference::Spread("node.labels.zone".to_owned())];
            task.spec.placement = Some(Placement { preferences, ..Placement::default() });
            draft.create(task);
        }
    });
    let lacks = "no suitable node (insufficient resources on 2 nodes)";
    assert_eq!(schedule(&mut state), format!("1->n1 2->n2 3->n1 4->n2 5: {lacks} 6: {lacks}"));
}

#[test]
fn a_node_that_failed_the_service_often_comes_last() {
    let now = Timestamp::EPOCH + Duration::from_secs(1000);
    let mut state = book(|draft| {
        nodes(draft, 2);
        for number in 11..=15 {
            let mut failed = in_state(task(number, 1), TaskState::Failed);
            failed.node_id = Some(node_id(1));
            failed.status.applied_at = Some(now);
            draft.create(failed);
        }
        (1..=3).for_each(|number| draft.create(pending(number, 1)));
    });
    assert_eq!(schedule_at(&mut state.clone(), now + Duration::from_secs(60)), "1->n2 2->n2 3->n2");
    assert_eq!(schedule_at(&mut state, now + Duration::from_secs(301)), "1->n1 2->n2 3->n1");
}

#[test]
fn things_are_claimed_by_name_or_by_number() {
    let mut state = book(|draft| {
        let mut node = node(1);
        let resources = node.description.as_mut().unwrap().resources.as_mut().unwrap();
        resources.generic = vec![
            GenericResource::Named { kind: "gpu".to_owned(), value: "one".to_owned() },
            GenericResource::Named { kind: "gpu".to_owned(), value: "two".to_owned() },
            GenericResource::Discrete { kind: "ssd".to_owned(), value: 3 },
        ];
        draft.create(node);
        for (number, kind, value) in
            [(1, "gpu", 1), (2, "gpu", 2), (3, "gpu", 1), (4, "ssd", 2), (5, "ssd", 2)]
        {
            let mut task = pending(number, number);
            let generic = vec![GenericResource::Discrete { kind: kind.to_owned(), value }];
            let reservations = Some(Resources { generic, ..Resources::default() });
            task.spec.resources =
                Some(ResourceRequirements { reservations, ..ResourceRequirements::default() });
            draft.create(task);
        }
    });
    let lacks = "no suitable node (insufficient resources on 1 node)";
    assert_eq!(schedule(&mut state), format!("1->n1 2: {lacks} 3->n1 4->n1 5: {lacks}"));
    let claims = |number| {
        let id = task_id(number);
        state.tasks.get(id).unwrap().assigned_generic_resources.clone()
    };
    assert_eq!(claims(3), [GenericResource::Named { kind: "gpu".to_owned(), value: "two".to_owned() }]);
    assert_eq!(claims(4), [GenericResource::Discrete { kind: "ssd".to_owned(), value: 2 }]);
}

#[test]
fn a_task_made_for_a_node_is_confirmed_or_says_why_not() {
    let mut state = book(|draft| {
        let mut paused = node(2);
        paused.spec.availability = Availability::Pause;
        draft.create(node(1));
        draft.create(paused);
        for number in 1..=2 {
            let mut task = pending(number, 1);
            task.node_id = Some(node_id(number));
            draft.create(task);
        }
    });
    assert_eq!(schedule(&mut state), "1->n1 2: 1 node not available for new tasks");
    let first = state.tasks.get(task_id(1)).unwrap();
    assert_eq!(first.status.message, "scheduler confirmed task can run on preassigned node");
    let second = state.tasks.get(task_id(2)).unwrap();
    assert_eq!(second.status.state, TaskState::Pending);
}

#[test]
fn a_task_without_a_place_gets_one_when_something_changes() {
    let mut state = book(|draft| draft.create(pending(1, 1)));
    let mut ledger = Ledger::of(&state);
    let cx = Cx { now: Timestamp::EPOCH, chance: &mut Chance::from_number(1) };
    change(&mut state, |draft| run(draft, &mut ledger, &cx));
    assert!(!ledger.wants_round());
    change(&mut state, |draft| {
        draft.create(node(1));
        run(draft, &mut ledger, &cx);
    });
    assert_eq!(state.tasks.iter().next().unwrap().node_id, Some(node_id(1)));
    assert_eq!(ledger, Ledger::of(&state));
}
