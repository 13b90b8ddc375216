//! A task never changes its node.

use store::Object;

use super::View;
use crate::story::task_name;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    for change in view.changes {
        let Object::Task(task) = change.object() else { continue };
        let before = view.before.tasks.get(task.id).and_then(|before| before.node_id);
        if before.is_some() && before != task.node_id {
            return Err(format!("{} moved from {before:?} to {:?}", task_name(task, view.now), task.node_id));
        }
    }
    Ok(())
}
