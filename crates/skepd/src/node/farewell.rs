//! Whether a node may leave its swarm without harm (`engine_api.md` section 3).
//!
//! In: what the node is. Out: why not, in the words that docker's CLI shows. Whoever insists is not asked.

use model::node::{NodeRole, Reachability};
use store::State;

use crate::standing::Standing;

/// What speaks against leaving, if anything does.
pub(super) fn objection(standing: &Standing, role: Option<NodeRole>) -> Option<String> {
    match standing {
        Standing::Inactive | Standing::Worker(_) => None,
        Standing::Locked(_) => Some(LOCKED.to_owned()),
        Standing::Manager(_, manager) => Some(of_manager(&manager.book.state())),
        Standing::Pending(_) | Standing::Expired | Standing::Broken(..) => (role == Some(NodeRole::Manager))
            .then(|| format!("{MANAGER}Doing so may lose the consensus of your cluster. {RESTORE}")),
    }
}

/// A manager that works is always missed; how badly depends on the others.
fn of_manager(state: &State) -> String {
    let managers = state.nodes.iter().filter_map(|node| node.manager_status.as_ref());
    let (mut reachable, mut all) = (0_usize, 0_usize);
    for status in managers {
        all += 1;
        reachable += usize::from(status.reachability == Reachability::Reachable);
    }
    let unreachable = all - reachable;
    if reachable <= 1 && unreachable == 0 {
        return format!("{MANAGER}{LAST}");
    }
    if reachable <= unreachable + 2 {
        let left = reachable.saturating_sub(1);
        return format!(
            "{MANAGER}Removing this node leaves {left} managers out of {all}. Without a Raft quorum your swarm will \
             be inaccessible. {RESTORE}"
        );
    }
    format!("{MANAGER}{RESTORE}")
}

const MANAGER: &str = "You are attempting to leave the swarm on a node that is participating as a manager. ";
const LAST: &str = "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this \
                    message. ";
const RESTORE: &str = "The only way to restore a swarm that has lost consensus is to reinitialize it with \
                       `--force-new-cluster`. Use `--force` to suppress this message.";
const LOCKED: &str =
    "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::node::{Certificate, ManagerStatus, NodeStatus};
    use model::{Chance, Meta, Node, NodeId, NodeSpec};
    use store::{Change, Object};

    use super::*;
    use crate::standing::Facts;

    /// A book with so many managers that can be reached, and that cannot.
    fn state(reachable: usize, unreachable: usize) -> State {
        let chance = &mut Chance::from_number(1);
        let reaches = std::iter::repeat_n(Reachability::Reachable, reachable)
            .chain(std::iter::repeat_n(Reachability::Unreachable, unreachable));
        let node = |reachability| {
            let status = ManagerStatus { reachability, ..ManagerStatus::default() };
            Node {
                id: NodeId::random(chance),
                meta: Meta::default(),
                spec: NodeSpec::default(),
                description: None,
                status: NodeStatus::default(),
                manager_status: Some(status),
                attachments: Vec::new(),
                certificate: Certificate::default(),
                role: NodeRole::Manager,
                vxlan_port: 0,
            }
        };
        let changes: Vec<Change> =
            reaches.map(node).map(|node| Change::Create(Object::Node(Arc::new(node)))).collect();
        let mut state = State::default();
        state.apply(1, &changes);
        state
    }

    #[test]
    fn the_words_tell_how_badly_a_manager_is_missed() {
        for (reachable, unreachable, words) in [
            (1, 0, "Removing the last manager erases"),
            (2, 0, "leaves 1 managers out of 2"),
            (2, 1, "leaves 1 managers out of 3"),
            (3, 0, "participating as a manager. The only way to restore"),
        ] {
            let said = of_manager(&state(reachable, unreachable));
            assert!(said.contains(words), "{reachable} {unreachable}: {said}");
        }
    }

    #[test]
    fn only_managers_are_missed() {
        assert_eq!(objection(&Standing::Worker(Default::default()), Some(NodeRole::Worker)), None);
        let broken = Standing::Broken(Default::default(), "why".to_owned());
        assert_eq!(objection(&broken, Some(NodeRole::Worker)), None);
        assert!(
            objection(&broken, Some(NodeRole::Manager)).is_some_and(|said| said.contains("Doing so may"))
        );
        assert_eq!(objection(&Standing::Locked(Facts::default()), None).as_deref(), Some(LOCKED));
    }
}
