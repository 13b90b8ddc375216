//! Why a task could not be placed, in the public words.

use std::collections::BTreeMap;

use super::filters::{Filter, check};
use super::ledger::Ledger;
use super::wish::Wish;

/// How many nodes each filter held back.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<Filter, usize>);

impl Failures {
    /// Asks every node.
    pub(super) fn of(ledger: &Ledger, wish: &Wish) -> Self {
        let mut failures = Self::default();
        for filter in ledger.shelves().filter_map(|shelf| check(wish, shelf).err()) {
            failures.count(filter);
        }
        failures
    }

    /// One more node was held back.
    pub(super) fn count(&mut self, filter: Filter) {
        *self.0.entry(filter).or_default() += 1;
    }

    /// The filters that held most nodes back come first.
    pub(super) fn explain(&self) -> String {
        let mut all: Vec<(Filter, usize)> = self.0.iter().map(|(filter, count)| (*filter, *count)).collect();
        all.sort_by_key(|(filter, count)| (std::cmp::Reverse(*count), *filter));
        all.into_iter().map(|(filter, count)| words(filter, count)).collect::<Vec<_>>().join("; ")
    }
}

fn words(filter: Filter, count: usize) -> String {
    let nodes = if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
    match filter {
        Filter::Ready => format!("{nodes} not available for new tasks"),
        Filter::Resource => format!("insufficient resources on {nodes}"),
        Filter::Plugin => format!("missing plugin on {nodes}"),
        Filter::Constraint => format!("scheduling constraints not satisfied on {nodes}"),
        Filter::Platform => format!("unsupported platform on {nodes}"),
        Filter::HostPort => format!("host-mode port already in use on {nodes}"),
        Filter::MaxReplicas => "max replicas per node limit exceed".to_owned(),
        Filter::Volumes => format!("cannot fulfill requested CSI volume mounts on {nodes}"),
    }
}
