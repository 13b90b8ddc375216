//! When nothing disturbs, every node that shall be a manager is one, and all have the same book.

use std::collections::BTreeSet;

use model::node::NodeRole;
use store::State;

use crate::swarm::{Machine, NodeNumber};

/// To be asked after a long quiet time.
pub fn group(book: &State, machines: &[Machine]) -> Result<(), String> {
    let shall = |machine: &&Machine| {
        let node = book.nodes.get(machine.node.id);
        node.is_some_and(|node| node.spec.desired_role == NodeRole::Manager)
    };
    let number = |machine: &Machine| machine.node.number();
    let wished: BTreeSet<NodeNumber> = machines.iter().filter(shall).map(number).collect();
    for machine in machines {
        let name = &machine.node.description.hostname;
        match (wished.contains(&number(machine)), &machine.manager) {
            (true, None) => return Err(format!("{name} shall be a manager and is none")),
            (false, Some(_)) => return Err(format!("{name} is a manager and shall be none")),
            (true, Some(manager)) if manager.book.index != book.index => {
                return Err(format!("{name} has the book of {}, not of {}", manager.book.index, book.index));
            }
            (true, Some(manager)) => {
                super::books(book, &manager.book).map_err(|what| format!("{name}: {what}"))?;
                let members: BTreeSet<NodeNumber> = manager.members.present.values().copied().collect();
                if members != wished {
                    return Err(format!("{name} knows the group as {members:?}, not {wished:?}"));
                }
            }
            (false, None) => {}
        }
    }
    Ok(())
}
