//! The templates that a service may use in its environment, host name and mounts, filled for one task.
//!
//! Facts: `control.md` section 16. A template that cannot be filled refuses the task.

use api::template::{Missing, Template, TemplateError};
use model::Task;
use model::node::NodeDescription;
use serde_json::{Value, json};

/// What a task's templates know.
#[derive(Clone, Debug)]
pub(crate) struct TaskTemplates(Value);

impl TaskTemplates {
    /// What the templates of this task know on this node.
    pub(crate) fn of(task: &Task, node: &NodeDescription) -> Self {
        let text = |id: Option<String>| id.unwrap_or_default();
        let node_id = text(task.node_id.map(|id| id.to_string()));
        let platform = node.platform.clone().unwrap_or_default();
        let slot = if task.slot == 0 { node_id.clone() } else { task.slot.to_string() };
        Self(json!({
            "Service": {
                "ID": text(task.service_id.map(|id| id.to_string())),
                "Name": task.service_annotations.name,
                "Labels": task.service_annotations.labels,
            },
            "Node": {
                "ID": node_id,
                "Hostname": node.hostname,
                "Platform": { "Architecture": platform.architecture, "OS": platform.os },
            },
            "Task": { "ID": task.id.to_string(), "Name": task.name(), "Slot": slot },
        }))
    }

    /// Fills one text.
    pub(crate) fn fill(&self, text: &str) -> Result<String, TemplateError> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        Template::parse(text, Missing::Refused)?.fill(&self.0)
    }

    /// Fills the value of `NAME=value`; the name is left as it is.
    pub(crate) fn fill_env(&self, text: &str) -> Result<String, TemplateError> {
        match text.split_once('=') {
            Some((name, value)) => Ok(format!("{name}={}", self.fill(value)?)),
            None => Ok(text.to_owned()),
        }
    }
}
