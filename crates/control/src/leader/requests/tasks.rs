//! Tasks: removed by hand.

use model::{Refusal, TaskId};
use store::Draft;

use crate::leader::request::Answer;

/// Removes a task; its service gets another one if it still wants one.
pub(super) fn remove(draft: &mut Draft, id: TaskId) -> Result<Answer, Refusal> {
    let task = draft.tasks.get(id).cloned().ok_or_else(|| Refusal::not_found("task", id))?;
    draft.remove(&task);
    Ok(Answer::Done)
}
