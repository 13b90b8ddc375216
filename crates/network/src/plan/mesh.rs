//! Published ports and services' addresses: which packet goes to which task.
//!
//! In: the doors of this host and the guests behind them. Out: chains that spread new connections over the guests, one
//! after the other. It does not know why a guest stands behind a door.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::Door;
use super::ruleset::{Action, Chain, Hook, Match, Rule};
use crate::sandbox::{Protocol, Sandbox, Standing, word};

/// Who stands behind which door, and behind which service's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mesh {
    /// Nobody may stand behind a door; it then refuses.
    pub(crate) doors: BTreeMap<Door, BTreeSet<(Ipv4Addr, u16)>>,
    /// The same for services' addresses.
    pub(crate) vips: BTreeMap<Ipv4Addr, BTreeSet<Ipv4Addr>>,
    /// Everybody who may have open connections by way of a door or a service's address: also those who take no new ones.
    pub(crate) backends: BTreeSet<Ipv4Addr>,
}

impl Mesh {
    /// What the sandboxes ask for.
    pub(crate) fn of<'a>(sandboxes: impl Iterator<Item = &'a Sandbox>) -> Self {
        let mut mesh = Self::default();
        for sandbox in sandboxes {
            if let Some(address) = sandbox.address() {
                mesh.add(sandbox, address);
            }
        }
        mesh
    }

    /// The chains for it, those that others go to first.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        let mut chains: Vec<_> = self.doors.iter().filter_map(spread_over_door).collect();
        chains.extend(self.vips.iter().filter_map(spread_over_vip));
        let entries = self.entries();
        if !entries.is_empty() {
            let entry =
                |name: &str, hook| Chain { name: name.to_owned(), hook: Some(hook), rules: entries.clone() };
            chains.push(entry("arriving", Hook::Arriving));
            chains.push(entry("departing", Hook::Departing));
        }
        chains.extend(self.refusals());
        chains
    }

    fn add(&mut self, sandbox: &Sandbox, address: Ipv4Addr) {
        if !sandbox.ports.is_empty() || sandbox.spec.service.is_some() {
            self.backends.insert(address);
        }
        for port in &sandbox.ports {
            let door = Door { protocol: port.protocol, host_ip: port.host_ip, port: port.host_port };
            self.doors.entry(door).or_default().insert((address, port.container_port));
        }
        let Some(service) = &sandbox.spec.service else { return };
        let serving = sandbox.standing == Standing::Serving;
        for port in &service.ports {
            let door = Door { protocol: port.protocol, host_ip: Ipv4Addr::UNSPECIFIED, port: port.published };
            let behind = self.doors.entry(door).or_default();
            behind.extend(serving.then_some((address, port.target)));
        }
        for vip in sandbox.spec.networks.iter().filter_map(|membership| membership.vip) {
            self.vips.entry(vip).or_default().extend(serving.then_some(address));
        }
    }

    /// The rules that send a packet to the chain of its door.
    fn entries(&self) -> Vec<Rule> {
        let open = self.doors.iter().filter(|(_, behind)| !behind.is_empty());
        let (anywhere, bound): (Vec<_>, Vec<_>) = open.map(|(door, _)| *door).partition(Door::is_everywhere);
        let vips: Vec<_> = self.vips.iter().filter(|(_, behind)| !behind.is_empty()).collect();

        let mut rules: Vec<_> = bound.iter().map(bound_entry).collect();
        if !anywhere.is_empty() {
            let doors = anywhere.iter().map(|door| ((door.protocol, door.port), door_chain(door)));
            rules.push(Rule { when: vec![Match::ForThisHost], then: Action::ByPort(doors.collect()) });
        }
        if !vips.is_empty() {
            let targets = vips.iter().map(|(vip, _)| (**vip, vip_chain(vip)));
            rules.push(Rule { when: vec![], then: Action::ByTarget(targets.collect()) });
        }
        rules
    }

    /// Quick refusals for doors and addresses behind which nobody stands.
    fn refusals(&self) -> Vec<Chain> {
        let reject = |when| Rule { when, then: Action::Reject };
        let shut = |door: &Door| vec![Match::ForThisHost, Match::Port(door.protocol, door.port)];
        let doors = self.doors.iter().filter(|(_, behind)| behind.is_empty());
        let doors: Vec<_> = doors.map(|(door, _)| reject(shut(door))).collect();
        let vips = self.vips.iter().filter(|(_, behind)| behind.is_empty());
        let vips: Vec<_> = vips.map(|(vip, _)| reject(vec![Match::For(*vip)])).collect();

        let chain = |name: &str, hook, rules| Chain { name: name.to_owned(), hook: Some(hook), rules };
        let chains = [chain("entering", Hook::Entering, doors), chain("passing", Hook::Passing, vips)];
        chains.into_iter().filter(|chain| !chain.rules.is_empty()).collect()
    }
}

fn spread_over_door((door, behind): (&Door, &BTreeSet<(Ipv4Addr, u16)>)) -> Option<Chain> {
    let targets: Vec<_> = behind.iter().copied().collect();
    // Ports exist within a protocol only, so the rule says which one, although the way here has settled it.
    let when = vec![Match::Port(door.protocol, door.port)];
    let rules = vec![Rule { when, then: Action::Spread(targets) }];
    (!behind.is_empty()).then(|| Chain { name: door_chain(door), hook: None, rules })
}

fn spread_over_vip((vip, behind): (&Ipv4Addr, &BTreeSet<Ipv4Addr>)) -> Option<Chain> {
    let then = Action::SpreadKeepingPort(behind.iter().copied().collect());
    (!behind.is_empty()).then(|| Chain {
        name: vip_chain(vip),
        hook: None,
        rules: vec![Rule { when: vec![], then }],
    })
}

fn bound_entry(door: &Door) -> Rule {
    let when = vec![Match::For(door.host_ip), Match::Port(door.protocol, door.port)];
    Rule { when, then: Action::Goto(door_chain(door)) }
}

fn door_chain(door: &Door) -> String {
    let Door { protocol, host_ip, port } = *door;
    if door.is_everywhere() {
        chain_of_port(protocol, port)
    } else {
        format!("{}_at_{host_ip}", chain_of_port(protocol, port))
    }
}

fn chain_of_port(protocol: Protocol, port: u16) -> String {
    format!("{}_{port}", word(protocol))
}

fn vip_chain(vip: &Ipv4Addr) -> String {
    format!("vip_{vip}")
}
