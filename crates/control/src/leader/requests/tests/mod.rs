//! Every rule of `control.md` section 11: what breaks it is refused in its words, and nothing is drafted.

mod objects;
mod services;

use model::spec::container::FileTarget;
use model::spec::endpoint::{EndpointSpec, PortConfig, PublishMode, ResolutionMode};
use model::{
    Annotations, Chance, ConfigSpec, ContainerSpec, Cx, Refusal, Runtime, SecretSpec, ServiceSpec, Timestamp,
};
use store::{Draft, State};

use super::judge;
use crate::leader::fixtures::{book, cluster, network};
use crate::leader::request::{Answer, Request};

const NOW: Timestamp = Timestamp::from_parts(1_000, 0);

/// Asks, and commits what is granted.
fn ask(state: &mut State, request: Request) -> Result<Answer, Refusal> {
    let mut draft = Draft::of(state, NOW);
    let answer =
        judge(&mut draft, request, &mut Cx { now: NOW, chance: &mut Chance::from_number(state.index) });
    let changes = draft.into_changes();
    assert!(answer.is_ok() || changes.is_empty(), "a refusal drafts nothing");
    state.apply(state.index + 1, &changes);
    answer
}

/// Asks, and says why not.
fn refusal(state: &mut State, request: Request) -> String {
    match ask(state, request) {
        Ok(_) => "yes".to_owned(),
        Err(refusal) => format!("{}: {}", refusal.code_name(), refusal.message),
    }
}

fn named(name: &str) -> Annotations {
    Annotations { name: name.to_owned(), ..Annotations::default() }
}

fn container(spec: &mut ServiceSpec) -> &mut ContainerSpec {
    match &mut spec.task.runtime {
        Runtime::Container(container) => container,
        _ => unreachable!("the tests begin with a container"),
    }
}

fn web() -> ServiceSpec {
    let mut spec = ServiceSpec { annotations: named("web"), ..ServiceSpec::default() };
    container(&mut spec).image = "nginx".to_owned();
    spec
}

fn port(published_port: u32, publish_mode: PublishMode) -> PortConfig {
    PortConfig { target_port: 80, published_port, publish_mode, ..PortConfig::default() }
}

fn ports(mode: ResolutionMode, ports: &[PortConfig]) -> Option<EndpointSpec> {
    Some(EndpointSpec { mode, ports: ports.to_vec() })
}

/// A swarm that has begun, with the mesh's network.
fn swarm() -> State {
    book(|draft| {
        draft.create(cluster());
        draft.create(network("ingress"));
    })
}

fn secret_spec(name: &str, data: usize) -> Box<SecretSpec> {
    Box::new(SecretSpec { annotations: named(name), data: vec![7; data], ..SecretSpec::default() })
}

fn config_spec(name: &str, data: usize) -> Box<ConfigSpec> {
    Box::new(ConfigSpec { annotations: named(name), data: vec![7; data], templating: None })
}

fn file(name: &str) -> FileTarget {
    FileTarget { name: name.to_owned(), ..FileTarget::default() }
}
