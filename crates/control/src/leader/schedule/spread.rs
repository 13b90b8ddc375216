//! The best of the nodes that a task can run on.
//!
//! The order: nodes that failed the service's tasks too often lately come last; then those with fewer active
//! tasks of the service; then those with fewer active tasks; then by id. Tasks of one group are alike, so a node
//! that is held back once stays so, and each node is asked only when its turn comes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use model::NodeId;

use super::filters::check;
use super::ledger::Ledger;
use super::wish::Wish;

/// How good a node is: less is better.
type Rank = (u32, u32, u32, NodeId);

/// Nodes, the best first.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    heap: BinaryHeap<Reverse<Rank>>,
    bad: BTreeMap<NodeId, u32>,
    /// How far the nodes without any task of the service were asked; none once all were.
    cursor: Option<Cursor>,
}

/// The last node that was asked, in the order of load.
#[derive(Debug, Default)]
struct Cursor(Option<(u32, NodeId)>);

impl Ranked {
    /// All nodes. Those without a task of the service and without failures come first, in the order of load,
    /// which the ledger has; only the others are ranked here.
    pub(super) fn all(ledger: &Ledger, wish: &Wish) -> Self {
        let mut ranked = Self::none(ledger, wish);
        ranked.cursor = Some(Cursor::default());
        let served = wish.service.into_iter().flat_map(|service| ledger.nodes_of(service));
        let others: Vec<NodeId> = served.chain(ranked.bad.keys().copied()).collect();
        for node in others {
            ranked.add(ledger, wish, node);
        }
        ranked
    }

    /// No node yet.
    pub(super) fn none(ledger: &Ledger, wish: &Wish) -> Self {
        let bad = wish.service.map(|service| ledger.bad_nodes(service, wish.version)).unwrap_or_default();
        Self { bad, ..Self::default() }
    }

    /// Adds one node.
    pub(super) fn add(&mut self, ledger: &Ledger, wish: &Wish, node: NodeId) {
        self.heap.extend(self.rank(ledger, wish, node).map(Reverse));
    }

    /// The best node that can take a task; to be added again once the task is there.
    pub(super) fn take(&mut self, ledger: &Ledger, wish: &Wish) -> Option<NodeId> {
        if let Some(node) = self.next_unserved(ledger, wish) {
            return Some(node);
        }
        while let Some(Reverse(rank)) = self.heap.pop() {
            let node = rank.3;
            match self.rank(ledger, wish, node) {
                Some(now) if now != rank => self.heap.push(Reverse(now)),
                Some(_) if ledger.node(node).is_some_and(|shelf| check(wish, shelf).is_ok()) => {
                    return Some(node);
                }
                _ => {}
            }
        }
        None
    }

    /// The next node in the order of load that has no task of the service, no failures, and room.
    fn next_unserved(&mut self, ledger: &Ledger, wish: &Wish) -> Option<NodeId> {
        let cursor = self.cursor.as_mut()?;
        while let Some(next) = ledger.next_by_load(cursor.0) {
            cursor.0 = Some(next);
            let Some(shelf) = ledger.node(next.1) else { continue };
            let fresh = shelf.active_of(wish.service) == 0 && !self.bad.contains_key(&next.1);
            if fresh && check(wish, shelf).is_ok() {
                return Some(next.1);
            }
        }
        self.cursor = None;
        None
    }

    fn rank(&self, ledger: &Ledger, wish: &Wish, node: NodeId) -> Option<Rank> {
        let shelf = ledger.node(node)?;
        let failures = self.bad.get(&node).copied().unwrap_or_default();
        Some((failures, shelf.active_of(wish.service), shelf.active(), node))
    }
}
