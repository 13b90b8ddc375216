//! Where the next task of a group goes.

use model::NodeId;

use super::ledger::Ledger;
use super::preference::Branch;
use super::spread::Ranked;
use super::wish::Wish;

/// The places for one group of tasks.
#[derive(Debug)]
pub(super) struct Places {
    nodes: Nodes,
    /// The node that was named last, to be found again with the task on it.
    last: Option<NodeId>,
}

#[derive(Debug)]
enum Nodes {
    Ranked(Ranked),
    Tree(Branch),
}

impl Places {
    /// The places for tasks with this wish.
    pub(super) fn of(ledger: &Ledger, wish: &Wish) -> Self {
        let nodes = if wish.spread.is_empty() {
            Nodes::Ranked(Ranked::all(ledger, wish))
        } else {
            Nodes::Tree(Branch::tree(ledger, wish))
        };
        Self { nodes, last: None }
    }

    /// The best place for one more task, given where those before it went.
    pub(super) fn next(&mut self, ledger: &Ledger, wish: &Wish) -> Option<NodeId> {
        let last = self.last.take();
        let found = match &mut self.nodes {
            Nodes::Ranked(ranked) => {
                if let Some(last) = last {
                    ranked.add(ledger, wish, last);
                }
                ranked.take(ledger, wish)
            }
            Nodes::Tree(root) => {
                if let Some(shelf) = last.and_then(|last| ledger.node(last)) {
                    root.give_back(ledger, wish, shelf, &wish.spread);
                }
                root.take(ledger, wish)
            }
        };
        self.last = found;
        found
    }
}
