//! The local bridge and the way out of it.
//!
//! In: its name and subnet. Out: the switches and rules every host wants, whoever lives on the bridge. Published ports
//! are in `mesh`.

use super::ruleset::{Action, Chain, Hook, Match, Rule};
use super::{Bridge, Switch};
use crate::subnet::Subnet;

/// The kernel's switches that a host with containers needs.
pub(crate) fn switches(bridge: &Bridge) -> Vec<Switch> {
    let switch = |name: String, value: &'static str| Switch { name, value };
    vec![
        switch("ipv4/ip_forward".to_owned(), "1"),
        // Lets a connection to 127.0.0.1:<published> go on to a container; `guard` keeps the other direction shut.
        switch(format!("ipv4/conf/{}/route_localnet", bridge.name), "1"),
        // A container that reaches another by way of a service's address must go on doing so.
        switch(format!("ipv4/conf/{}/send_redirects", bridge.name), "0"),
    ]
}

/// Keeps guests from the host's own loopback, which `route_localnet` would open to them.
pub(crate) fn guard(bridge: &Bridge) -> Chain {
    let when = vec![Match::From(bridge.name.clone()), Match::Target(loopback())];
    Chain {
        name: "guard".to_owned(),
        hook: Some(Hook::Guard),
        rules: vec![Rule { when, then: Action::Drop }],
    }
}

/// Gives packets a sender to whom the answer finds its way.
///
/// The client's own address is kept wherever an answer would come back through this host anyway.
pub(crate) fn leaving(bridge: &Bridge) -> Chain {
    let here = || Match::Through(bridge.name.clone());
    let masquerade = |when| Rule { when, then: Action::Masquerade };
    Chain {
        name: "leaving".to_owned(),
        hook: Some(Hook::Leaving),
        rules: vec![
            masquerade(vec![Match::Source(bridge.subnet), Match::NotThrough(bridge.name.clone())]),
            masquerade(vec![Match::Source(loopback()), here()]),
            // From guest to guest by way of a published port or a service's address.
            masquerade(vec![Match::Source(bridge.subnet), here(), Match::Redirected]),
        ],
    }
}

fn loopback() -> Subnet {
    Subnet::around(std::net::Ipv4Addr::LOCALHOST, 8).expect("8 fixed bits are allowed")
}
