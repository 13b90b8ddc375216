//! Nodes get an address in each network that spans nodes and that their tasks use, and in the routing mesh's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::network::NetworkAttachment;
use model::{Network, NetworkId, Node, NodeId, Task, TaskId};
use store::Draft;

use super::Pools;
use super::services::ingress;

/// How many tasks of each node use each network.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Uses {
    of: BTreeMap<TaskId, (NodeId, Vec<NetworkId>)>,
    count: BTreeMap<(NodeId, NetworkId), u32>,
}

impl Uses {
    /// Keeps up with a task. Returns its node if the networks used there may differ now.
    pub(super) fn note(&mut self, id: TaskId, task: Option<&Task>) -> Option<NodeId> {
        let now = task.and_then(|task| {
            let spanning = task.networks.iter().filter(|it| !it.network.is_node_local());
            let networks: Vec<NetworkId> = spanning.map(|it| it.network.id).collect();
            let used = !networks.is_empty();
            task.node_id.filter(|_| used).map(|node| (node, networks))
        });
        let before = match &now {
            Some(now) => self.of.insert(id, now.clone()),
            None => self.of.remove(&id),
        };
        if before == now {
            return None;
        }
        if let Some((node, networks)) = &now {
            for network in networks {
                *self.count.entry((*node, *network)).or_default() += 1;
            }
        }
        if let Some((node, networks)) = &before {
            for network in networks {
                let count = self.count.get_mut(&(*node, *network)).expect("what is used is counted");
                *count -= 1;
                if *count == 0 {
                    self.count.remove(&(*node, *network));
                }
            }
        }
        now.or(before).map(|(node, _)| node)
    }

    /// The networks that a node's tasks use.
    fn on(&self, node: NodeId) -> impl Iterator<Item = NetworkId> {
        let from = (node, NetworkId::LOWEST);
        self.count.range(from..).take_while(move |((at, _), _)| *at == node).map(|((_, network), _)| *network)
    }
}

/// Looks at each node that came or whose tasks changed.
pub(super) fn run(draft: &mut Draft, pools: &mut Pools) {
    if pools.waiting.nodes.is_empty() {
        return;
    }
    let mesh = ingress(draft).filter(|mesh| mesh.driver_state.is_some()).cloned();
    for id in std::mem::take(&mut pools.waiting.nodes) {
        let Some(node) = draft.nodes.get(id).cloned() else { continue };
        let wanted = wanted(draft, pools, id, mesh.as_ref());
        let has = |network: &Network| node.attachments.iter().any(|it| it.network.id == network.id);
        let enough = wanted.iter().all(|network| has(network)) && node.attachments.len() == wanted.len();
        if !enough {
            attach(draft, pools, &node, &wanted);
        }
    }
}

fn wanted(draft: &Draft, pools: &Pools, node: NodeId, mesh: Option<&Arc<Network>>) -> Vec<Arc<Network>> {
    let ids: BTreeSet<NetworkId> = pools.uses.on(node).chain(mesh.map(|mesh| mesh.id)).collect();
    ids.into_iter().filter_map(|id| draft.networks.get(id).cloned()).collect()
}

/// Keeps the addresses the node has, lets go those it needs no more, and adds missing ones as far as there are any.
fn attach(draft: &mut Draft, pools: &mut Pools, node: &Node, wanted: &[Arc<Network>]) {
    let mut attachments: Vec<NetworkAttachment> = node.attachments.clone();
    attachments.retain(|it| wanted.iter().any(|network| network.id == it.network.id));
    for network in wanted {
        if attachments.iter().any(|it| it.network.id == network.id) {
            continue;
        }
        let Some(addresses) = pools.addresses.free(network) else { continue };
        attachments.push(NetworkAttachment {
            network: Network::clone(network),
            addresses,
            aliases: Vec::new(),
            driver_attachment_opts: BTreeMap::new(),
        });
    }
    if attachments != node.attachments {
        let node = Node { attachments, ..node.clone() };
        pools.waiting.freed |= pools.addresses.note_node(node.id, Some(&node));
        draft.update(node);
    }
}
