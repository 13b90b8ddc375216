//! What is wished of a task never goes back.

use store::Object;

use super::View;
use crate::story::task_name;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    for change in view.changes {
        let Object::Task(task) = change.object() else { continue };
        let Some(before) = view.before.tasks.get(task.id) else { continue };
        if task.desired_state < before.desired_state {
            let name = task_name(task, view.now);
            return Err(format!(
                "{name} was wished {} and is wished {}",
                before.desired_state, task.desired_state
            ));
        }
    }
    Ok(())
}
