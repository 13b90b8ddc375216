//! The way to the name server in a container that runs one of its own.
//!
//! In: where our sockets are. Out: rules for the container's own network that lead there. Whoever wants port 53 on all its
//! addresses could not have it if our sockets were on it. All other containers need no rules: our sockets are on the port.

use std::net::Ipv4Addr;

use super::ruleset::{Action, Chain, Hook, Match, Rule, Ruleset};
use crate::sandbox::{Protocol, SandboxSpec};

/// The port every name server is asked on.
const NAMES: u16 = 53;

/// True if the container runs a name server of its own, as far as its published ports tell.
pub(crate) fn is_needed(spec: &SandboxSpec) -> bool {
    let shared = spec.service.iter().flat_map(|service| &service.ports).map(|port| port.target);
    spec.ports.iter().map(|port| port.container_port).chain(shared).any(|port| port == NAMES)
}

/// The rules that lead from the name server's address to where its sockets are.
pub(crate) fn ruleset(table: &str, address: Ipv4Addr, ports: [(Protocol, u16); 2]) -> Ruleset {
    let rule = |(protocol, port)| Rule {
        when: vec![Match::For(address), Match::Port(protocol, NAMES)],
        then: Action::Spread(vec![(address, port)]),
    };
    let rules = ports.map(rule).to_vec();
    let chain = Chain { name: "names".to_owned(), hook: Some(Hook::Departing), rules };
    Ruleset { table: table.to_owned(), chains: vec![chain] }
}
