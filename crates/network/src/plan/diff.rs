//! From what is to what shall be.
//!
//! In: both. Out: what to do about it, in an order that is safe at every step. It does nothing.

use std::net::Ipv4Addr;

use super::ruleset::Ruleset;
use super::{Bridge, Door, Now, Switch, Wanted};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make the bridge, with its address.
    MakeBridge(Bridge),
    /// Set one of the kernel's switches.
    Set(Switch),
    /// Let other firewalls on this host let the bridge's packets pass.
    OpenForward(Bridge),
    /// Keep a port from everybody else on this host.
    Reserve(Door),
    /// Put these rules in the place of those that are there, in one step.
    Load(Ruleset),
    /// Give a port back.
    Release(Door),
    /// Forget the flows to somebody who has gone.
    Forget(Ipv4Addr),
}

/// What to do so that `now` becomes `wanted`.
///
/// Ports are reserved before rules lead to them and released after no rule does; flows are forgotten when no rule can
/// make them anew.
pub fn diff(now: &Now, wanted: &Wanted) -> Vec<Operation> {
    let mut operations = Vec::new();
    if now.bridge.as_ref() != Some(&wanted.bridge) {
        operations.push(Operation::MakeBridge(wanted.bridge.clone()));
        operations.extend(wanted.switches.iter().cloned().map(Operation::Set));
        operations.push(Operation::OpenForward(wanted.bridge.clone()));
    }
    operations.extend(wanted.doors.difference(&now.doors).copied().map(Operation::Reserve));
    if now.ruleset.as_ref() != Some(&wanted.ruleset) {
        operations.push(Operation::Load(wanted.ruleset.clone()));
    }
    operations.extend(now.doors.difference(&wanted.doors).copied().map(Operation::Release));
    operations.extend(now.backends.difference(&wanted.backends).copied().map(Operation::Forget));
    operations
}
