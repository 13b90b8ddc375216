//! Whether a task still is what its service wishes (`control.md` section 1).

use model::{Runtime, Service, Task, TaskSpec, TaskState};
use store::State;

use crate::leader::schedule;

/// True if the task must be renewed to be what the service wishes.
pub(super) fn is_dirty(state: &State, service: &Service, task: &Task) -> bool {
    if task.spec_version.is_some() && task.spec_version == service.spec_version {
        return false;
    }
    let wished = task.endpoint.as_ref().and_then(|endpoint| endpoint.spec.as_ref());
    if task.endpoint.is_some() && wished != service.spec.endpoint.as_ref() {
        return true;
    }
    task.spec != service.spec.task && !is_clean_enough(state, &service.spec.task, task)
}

/// True if the task is what its service wishes now: what users call up to date.
pub fn is_up_to_date(state: &State, task: &Task) -> bool {
    let service = task.service_id.and_then(|id| state.services.get(id));
    service.is_some_and(|service| !is_dirty(state, service, task))
}

/// True if the specs differ only in what does not matter to a task that is where it is: a placement that allows
/// its node, or credentials for an image that it already has.
fn is_clean_enough(state: &State, wished: &TaskSpec, task: &Task) -> bool {
    let mut wished = wished.clone();
    let has_image = (TaskState::Ready..=TaskState::Running).contains(&task.status.state);
    if let (Runtime::Container(wished), Some(has)) = (&mut wished.runtime, task.spec.container())
        && has_image
        && task.desired_state <= TaskState::Running
    {
        wished.registry_auth.clone_from(&has.registry_auth);
    }
    if wished == task.spec {
        return true;
    }
    let placement = std::mem::replace(&mut wished.placement, task.spec.placement.clone());
    let node = task.node_id.and_then(|node| state.nodes.get(node));
    let constraints = placement.map(|placement| placement.constraints).unwrap_or_default();
    wished == task.spec && node.is_some_and(|node| schedule::suits(&constraints, node))
}
