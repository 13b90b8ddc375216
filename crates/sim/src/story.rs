//! What happened, in words a reader can follow.
//!
//! In: commits. Out: lines, one for each moment in which something happened that a user would want to know.

use model::node::NodeState;
use model::service::UpdateState;
use model::{Duration, Node, NodeId, Service, ServiceMode, Task, TaskState, Timestamp};
use store::{Change, Object, State};

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Story {
    lines: Vec<(Timestamp, String)>,
    told: usize,
}

/// So many lines are kept for a failure's report.
const LINES_MAX: usize = 4000;

impl Story {
    /// Something happened.
    pub fn tell(&mut self, at: Timestamp, what: impl Into<String>) {
        if self.lines.len() >= LINES_MAX && self.told == 0 {
            self.lines.drain(..LINES_MAX / 2);
        }
        self.lines.push((at, what.into()));
    }

    /// Something was committed.
    pub fn commit(&mut self, at: Timestamp, before: &State, now: &State, changes: &[Change]) {
        for change in changes {
            let what = match change {
                Change::Create(Object::Task(task)) | Change::Update(Object::Task(task)) => {
                    task_words(before.tasks.get(task.id).map(AsRef::as_ref), task, now)
                }
                Change::Remove(Object::Task(task)) => format!("{} forgotten", task_name(task, now)),
                Change::Create(Object::Node(node)) | Change::Update(Object::Node(node)) => {
                    node_words(before.nodes.get(node.id).map(AsRef::as_ref), node)
                }
                Change::Update(Object::Service(service)) => {
                    service_words(before.services.get(service.id).map(AsRef::as_ref), service)
                }
                _ => String::new(),
            };
            if !what.is_empty() {
                self.tell(at, what);
            }
        }
    }

    /// The lines that were not told yet, with the time since `begin`; those of one moment are sorted and joined.
    pub fn news(&mut self, begin: Timestamp) -> Vec<String> {
        let mut moments: Vec<(Timestamp, Vec<&str>)> = Vec::new();
        for (at, what) in &self.lines[self.told..] {
            match moments.last_mut() {
                Some((last, all)) if last == at => all.push(what),
                _ => moments.push((*at, vec![what])),
            }
        }
        let lines = moments.into_iter().map(|(at, mut all)| {
            all.sort_unstable();
            format!("{:>6}  {}", seconds(at.since(begin)), all.join(", "))
        });
        let lines = lines.collect();
        self.told = self.lines.len();
        lines
    }

    /// All lines that are kept, for a failure's report.
    pub fn whole(&self) -> String {
        self.lines.iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>().join("\n")
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:02}s", time.as_secs(), time.subsec_millis() / 10)
}

/// `web.1`, or `web@a` for the task of a global service.
pub fn task_name(task: &Task, state: &State) -> String {
    let service = &task.service_annotations.name;
    let mode = task.service_id.and_then(|id| state.services.get(id)).map(|service| &service.spec.mode);
    let slotted = matches!(mode, Some(ServiceMode::Replicated { .. } | ServiceMode::ReplicatedJob { .. }));
    match task.node_id.filter(|_| task.slot == 0 && !slotted) {
        Some(node) => format!("{service}@{}", node_name(node, state)),
        None => format!("{service}.{}", task.slot),
    }
}

/// The node's host name.
pub fn node_name(id: NodeId, state: &State) -> String {
    let node = state.nodes.get(id);
    node.map(|node| node.name().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}

/// What happened to a task; nothing if only its way to `running` is concerned.
fn task_words(before: Option<&Task>, task: &Task, state: &State) -> String {
    let name = task_name(task, state);
    let node = task.node_id.map(|node| node_name(node, state)).unwrap_or_default();
    let on = if node.is_empty() { String::new() } else { format!(" on {node}") };
    let old_state = before.map_or(TaskState::New, |before| before.status.state);
    let status = &task.status;
    let mut words = Vec::new();
    if old_state < TaskState::Assigned && status.state >= TaskState::Assigned {
        let ready = if task.desired_state == TaskState::Ready { " (to be ready)" } else { "" };
        words.push(format!("{name} -> {node}{ready}"));
    }
    if status.state < TaskState::Assigned
        && !status.err.is_empty()
        && before.is_none_or(|before| before.status.err != status.err)
    {
        words.push(format!("{name} {}: {}", status.state, status.err));
    }
    if old_state < TaskState::Running && status.state == TaskState::Running {
        words.push(format!("{name} runs{on}"));
    }
    if !old_state.is_final() && status.state.is_final() {
        let why = if status.err.is_empty() { String::new() } else { format!(" ({})", status.err) };
        words.push(format!("{name} {}{on}{why}", status.state));
    }
    let old_desired = before.map_or(task.desired_state, |before| before.desired_state);
    if old_desired != task.desired_state && !status.state.is_final() {
        match task.desired_state {
            TaskState::Shutdown | TaskState::Remove => words.push(format!("{name}{on} shall stop")),
            _ if old_desired == TaskState::Ready => words.push(format!("{name}{on} shall start")),
            _ => {}
        }
    }
    words.join(", ")
}

fn node_words(before: Option<&Node>, node: &Node) -> String {
    let old = before.map_or(NodeState::Unknown, |before| before.status.state);
    if old == node.status.state {
        return String::new();
    }
    let word = match node.status.state {
        NodeState::Unknown => "is unknown",
        NodeState::Down => "is down",
        NodeState::Ready => "is ready",
        NodeState::Disconnected => "is disconnected",
    };
    format!("{} {word}", node.name())
}

fn service_words(before: Option<&Service>, service: &Service) -> String {
    let state = |service: &Service| service.update_status.as_ref().map(|status| status.state);
    let old = before.and_then(state);
    let Some(status) = service.update_status.as_ref().filter(|status| Some(status.state) != old) else {
        return String::new();
    };
    let word = match status.state {
        UpdateState::Unknown => return String::new(),
        UpdateState::Updating => "updating",
        UpdateState::Paused => "paused",
        UpdateState::Completed => "updated",
        UpdateState::RollbackStarted => "rolling back",
        UpdateState::RollbackPaused => "rollback paused",
        UpdateState::RollbackCompleted => "rolled back",
    };
    let task = service.spec.annotations.name.clone();
    format!("{task} {word}: {}", without_ids(&status.message))
}

/// Ids differ from seed to seed; a transcript should not.
pub fn without_ids(text: &str) -> String {
    let is_letter = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    let mut rest = text;
    let mut told = String::new();
    while let Some(begin) = rest.find(is_letter) {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|c| !is_letter(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        told.push_str(before);
        told.push_str(if word.parse::<model::TaskId>().is_ok() { "…" } else { word });
        rest = after;
    }
    told + rest
}
