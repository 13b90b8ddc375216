//! Gives a replicated service as many live slots as its spec asks for.
//!
//! New slots take the lowest free numbers. Surplus slots go where they are most: first those that do not run,
//! then those on the nodes that have the most of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Cx, NodeId, Service, Task, TaskState};
use store::Draft;

use super::place::{Place, all_places};
use super::slots::{counting, wish};

/// Adds or removes slots.
pub(super) fn reconcile(draft: &mut Draft, service: &Service, replicas: u64, cx: &mut Cx<'_>) {
    let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
    let mut places = all_places(draft, service);
    let live: Vec<Live> = places.iter().filter_map(|(place, tasks)| live(service, *place, tasks)).collect();
    let kept: Vec<Place> = keep(live, wanted).iter().map(|slot| slot.place).collect();
    let missing = wanted - kept.len();

    let free =
        (1..).map(|slot| Place::Slot(service.id, slot)).filter(|place| kept.binary_search(place).is_err());
    for place in free.take(missing) {
        if draft.is_full() {
            return;
        }
        let task = place.new_task(draft, service, TaskState::Running, cx);
        draft.create(task);
        places.remove(&place);
    }
    places.retain(|place, _| kept.binary_search(place).is_err());
    for task in places.values().flatten() {
        if draft.is_full() {
            return;
        }
        wish(draft, task, TaskState::Remove);
    }
}

/// A slot that counts.
struct Live {
    place: Place,
    runs: bool,
    node: Option<NodeId>,
}

fn live(service: &Service, place: Place, tasks: &[Arc<Task>]) -> Option<Live> {
    let counting = counting(service, tasks);
    let node = match counting[..] {
        [] => return None,
        [task] => task.node_id,
        _ => None,
    };
    let runs = counting.iter().any(|task| task.status.state == TaskState::Running);
    Some(Live { place, runs, node })
}

/// The slots to keep, by number: those that run before those that do not, and of each node the second only
/// after all others' first. Slots without a node, or between two, go first.
fn keep(mut live: Vec<Live>, wanted: usize) -> Vec<Live> {
    live.sort_by_key(|slot| (!slot.runs, slot.place));
    let mut on_node: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, Live)> = Vec::with_capacity(live.len());
    for slot in live {
        let turn = slot.node.map_or(usize::MAX, |node| {
            let count = on_node.entry(node).or_default();
            *count += 1;
            *count
        });
        turns.push((turn, slot));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    let mut kept: Vec<Live> = turns.into_iter().take(wanted).map(|(_, slot)| slot).collect();
    kept.sort_by_key(|slot| slot.place);
    kept
}
