//! Spreading over the values of labels, before nodes are compared.
//!
//! Nodes form a tree: a level for each preference, a branch for each value (none counts as empty). Each task goes
//! to the branch with the fewest tasks of the service, level by level; a branch without room falls off.

use std::collections::BTreeMap;

use model::Node;

use super::filters::{ENGINE_LABELS, NODE_LABELS, check};
use super::ledger::{Ledger, Shelf};
use super::spread::Ranked;
use super::wish::Wish;

/// A label to spread over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Given to a node by users.
    Node(String),
    /// Given to an engine by its operator.
    Engine(String),
}

impl Label {
    /// Reads `node.labels.X` or `engine.labels.X`; other wishes bend to nothing.
    pub(super) fn parse(descriptor: &str) -> Option<Self> {
        let rest = |prefix: &str| {
            let head = descriptor.get(..prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then(|| descriptor[prefix.len()..].to_owned())
        };
        let node = rest(NODE_LABELS).map(Self::Node);
        node.or_else(|| rest(ENGINE_LABELS).map(Self::Engine)).filter(|label| !label.name().is_empty())
    }

    fn name(&self) -> &str {
        match self {
            Self::Node(name) | Self::Engine(name) => name,
        }
    }

    fn of(&self, node: &Node) -> String {
        let engine = || node.description.as_ref()?.engine.as_ref();
        let labels = match self {
            Self::Node(_) => Some(&node.spec.annotations.labels),
            Self::Engine(_) => engine().map(|engine| &engine.labels),
        };
        labels.and_then(|labels| labels.get(self.name())).cloned().unwrap_or_default()
    }
}

/// A branch of the tree of nodes.
#[derive(Debug)]
pub(super) struct Branch {
    /// How many active tasks of the service are on it.
    tasks: u32,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Branches(BTreeMap<String, Branch>),
    Nodes(Ranked),
}

impl Branch {
    /// The tree of all nodes that can take a task now.
    pub(super) fn tree(ledger: &Ledger, wish: &Wish) -> Self {
        let mut root = Self::empty(ledger, wish, &wish.spread);
        for shelf in ledger.shelves().filter(|shelf| check(wish, shelf).is_ok()) {
            root.grow(ledger, wish, shelf, &wish.spread);
        }
        root
    }

    fn empty(ledger: &Ledger, wish: &Wish, levels: &[Label]) -> Self {
        let below = match levels {
            [] => Below::Nodes(Ranked::none(ledger, wish)),
            _ => Below::Branches(BTreeMap::new()),
        };
        Self { tasks: 0, below }
    }

    fn grow(&mut self, ledger: &Ledger, wish: &Wish, shelf: &Shelf, levels: &[Label]) {
        self.tasks += shelf.active_of(wish.service);
        match (&mut self.below, levels) {
            (Below::Branches(branches), [label, deeper @ ..]) => {
                let branch = branches.entry(label.of(&shelf.node));
                let branch = branch.or_insert_with(|| Self::empty(ledger, wish, deeper));
                branch.grow(ledger, wish, shelf, deeper);
            }
            (Below::Nodes(ranked), _) => ranked.add(ledger, wish, shelf.node.id),
            (Below::Branches(_), []) => {}
        }
    }

    /// The best node of the branch with the fewest tasks; it is counted as having one more.
    pub(super) fn take(&mut self, ledger: &Ledger, wish: &Wish) -> Option<model::NodeId> {
        let found = match &mut self.below {
            Below::Nodes(ranked) => ranked.take(ledger, wish),
            Below::Branches(branches) => loop {
                let fewest = branches.iter().min_by_key(|(value, branch)| (branch.tasks, *value));
                let Some(value) = fewest.map(|(value, _)| value.clone()) else { break None };
                match branches.get_mut(&value).and_then(|branch| branch.take(ledger, wish)) {
                    Some(node) => break Some(node),
                    None => branches.remove(&value),
                };
            },
        }?;
        self.tasks += 1;
        Some(found)
    }

    /// Lets the node be found again, now that the task is on it.
    pub(super) fn give_back(&mut self, ledger: &Ledger, wish: &Wish, shelf: &Shelf, levels: &[Label]) {
        match (&mut self.below, levels) {
            (Below::Branches(branches), [label, deeper @ ..]) => {
                if let Some(branch) = branches.get_mut(&label.of(&shelf.node)) {
                    branch.give_back(ledger, wish, shelf, deeper);
                }
            }
            (Below::Nodes(ranked), _) => ranked.add(ledger, wish, shelf.node.id),
            (Below::Branches(_), []) => {}
        }
    }
}
