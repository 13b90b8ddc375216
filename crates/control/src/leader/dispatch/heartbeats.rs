//! Who was heard, and who was not for too long (`control.md` section 12).
//!
//! In: heartbeats, time. Out: nodes drafted as unknown, down, and, much later, their tasks as orphaned. A
//! heartbeat only moves a deadline and never touches the book.

use std::collections::{BTreeMap, BTreeSet};

use model::limits::HEARTBEAT_PERIOD_DEFAULT;
use model::node::NodeState;
use model::{Cx, Duration, Node, NodeId, Task, TaskState, Timestamp};
use store::{Draft, State};

/// So many halves of a period may pass in silence: two heartbeats were missed, and nothing came for half a period more.
/// Swarm waits for three whole ones; but a node that only gave up a call which hung, after 5 s, is back before this.
const GRACE_HALVES: u32 = 5;
/// So many periods may pass until a node has found a new leader.
const UNKNOWN_GRACE: u32 = 6;
/// Each period differs by at most this, so that nodes do not speak in chorus.
const JITTER: Duration = Duration::from_millis(500);
/// A leader that looks so much too late did not listen itself: its clock was set forward, or it was held up.
const LATE: Duration = Duration::from_secs(1);
/// After this time nobody hopes for the tasks of a node that is down.
const ORPHAN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The deadlines of all nodes.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    /// Nodes that were neither down nor heard when this leader began, to be drafted as unknown.
    unheard: BTreeSet<NodeId>,
    /// Until when a node must be heard.
    due: Deadlines,
    /// Until when a node that is down may come back to its tasks.
    lost: Deadlines,
}

impl Heartbeats {
    /// Nobody was heard yet, and all have time to find the new leader.
    pub(super) fn of(state: &State, now: Timestamp) -> Self {
        let mut all = Self::default();
        let patience = period(state) * UNKNOWN_GRACE;
        for node in state.nodes.iter() {
            if node.status.state == NodeState::Down {
                all.lost.set(node.id, now + ORPHAN_AFTER);
            } else {
                all.unheard.insert(node.id);
                all.due.set(node.id, now + patience);
            }
        }
        all
    }

    /// A node was heard; says how soon it must be heard again.
    pub(super) fn beat(&mut self, state: &State, node: NodeId, cx: &mut Cx<'_>) -> Duration {
        let spread = JITTER.min(period(state) / 2);
        let jitter = Duration::from_nanos(cx.chance.below(spread.as_nanos() as u64 * 2));
        let period = period(state) - spread + jitter;
        self.due.set(node, cx.now + grace(period));
        period
    }

    /// A node opened a session.
    pub(super) fn opened(&mut self, state: &State, node: NodeId, now: Timestamp) {
        self.unheard.remove(&node);
        self.lost.cancel(node);
        self.due.set(node, now + grace(period(state)));
    }

    /// A node is no longer in the book.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.unheard.remove(&node);
        self.due.cancel(node);
        self.lost.cancel(node);
    }

    pub(super) fn wants_draft(&self, now: Timestamp) -> bool {
        !self.unheard.is_empty() || self.wake_at().is_some_and(|at| at <= now)
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.due.first().into_iter().chain(self.lost.first()).min()
    }

    /// Writes down who is unknown and who is down, and returns the latter.
    pub(super) fn draft(&mut self, draft: &mut Draft, now: Timestamp) -> Vec<NodeId> {
        for id in std::mem::take(&mut self.unheard) {
            const MOVED: &str = r#"Node moved to "unknown" state due to leadership change in cluster"#;
            change_state(draft, id, NodeState::Unknown, MOVED);
        }
        self.excuse_the_deaf(period(draft), now);
        let overdue = self.due.take_due(now);
        for id in &overdue {
            let unknown = draft.nodes.get(*id).is_some_and(|node| node.status.state == NodeState::Unknown);
            let why = if unknown {
                r#"heartbeat failure for node in "unknown" state"#
            } else {
                "heartbeat failure"
            };
            change_state(draft, *id, NodeState::Down, why);
            self.lost.set(*id, now + ORPHAN_AFTER);
        }
        for id in self.lost.take_due(now) {
            orphan_tasks(draft, id, now);
        }
        overdue
    }

    /// Gives all nodes more time if the leader looks so late that it may not have heard them.
    fn excuse_the_deaf(&mut self, period: Duration, now: Timestamp) {
        if let Some(first) = self.due.first().filter(|first| *first + LATE < now) {
            self.due.put_off(now.since(first) + period);
        }
    }
}

/// How long a node that speaks so often may be silent.
fn grace(period: Duration) -> Duration {
    period * GRACE_HALVES / 2
}

/// How often nodes must be heard.
fn period(state: &State) -> Duration {
    let wished = state.cluster().and_then(|cluster| cluster.spec.heartbeat_period);
    wished.filter(|period| !period.is_zero()).unwrap_or(HEARTBEAT_PERIOD_DEFAULT)
}

fn change_state(draft: &mut Draft, id: NodeId, state: NodeState, message: &str) {
    let Some(node) = draft.nodes.get(id).filter(|node| node.status.state != state) else { return };
    let mut node = Node::clone(node);
    node.status.state = state;
    message.clone_into(&mut node.status.message);
    draft.update(node);
}

/// Gives up the tasks of a node that is long gone.
fn orphan_tasks(draft: &mut Draft, node: NodeId, now: Timestamp) {
    let hoped_for = TaskState::Assigned..=TaskState::Running;
    let tasks: Vec<Task> = draft
        .tasks_on(node)
        .filter(|task| hoped_for.contains(&task.status.state))
        .map(|task| Task::clone(task))
        .collect();
    for mut task in tasks {
        task.status.state = TaskState::Orphaned;
        task.status.timestamp = Some(now);
        draft.update(task);
    }
}

/// One deadline for each node, and the nodes in the order of their deadlines.
#[derive(Debug, Default)]
struct Deadlines {
    of: BTreeMap<NodeId, Timestamp>,
    queue: BTreeSet<(Timestamp, NodeId)>,
}

impl Deadlines {
    fn set(&mut self, node: NodeId, at: Timestamp) {
        self.cancel(node);
        self.of.insert(node, at);
        self.queue.insert((at, node));
    }

    fn cancel(&mut self, node: NodeId) {
        if let Some(at) = self.of.remove(&node) {
            self.queue.remove(&(at, node));
        }
    }

    /// Moves every deadline so much further.
    fn put_off(&mut self, by: Duration) {
        self.of.values_mut().for_each(|at| *at = *at + by);
        self.queue = self.of.iter().map(|(node, at)| (*at, *node)).collect();
    }

    fn first(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<NodeId> {
        let mut due = Vec::new();
        while let Some(&(_, node)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.cancel(node);
            due.push(node);
        }
        due
    }
}
