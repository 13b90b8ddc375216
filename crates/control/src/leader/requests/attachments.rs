//! Places in a network for containers that no service owns (`control.md` section 14).

use model::spec::endpoint::NetworkAttachmentConfig;
use model::spec::task::AttachmentSpec;
use model::{
    Annotations, Cx, Meta, Network, NodeId, Refusal, RefusalKind, Runtime, Task, TaskId, TaskSpec, TaskState,
    TaskStatus,
};
use store::{Draft, State};

use crate::leader::request::Answer;

/// Makes a task that stands for the container's place.
pub(super) fn attach(
    draft: &mut Draft,
    node: NodeId,
    (mut config, container_id): (NetworkAttachmentConfig, String),
    cx: &mut Cx<'_>,
) -> Result<Answer, Refusal> {
    let network = find(draft, &config.target)?;
    if !network.spec.attachable {
        let message = format!("network {} not manually attachable", config.target);
        return Err(Refusal::new(RefusalKind::Denied, message));
    }
    config.target = network.id.to_string();
    let spec = TaskSpec {
        runtime: Runtime::Attachment(AttachmentSpec { container_id }),
        networks: vec![config],
        ..TaskSpec::default()
    };
    let task = task(spec, node, cx);
    let id = task.id;
    draft.create(task);
    Ok(Answer::Attachment(id))
}

/// Removes such a place.
pub(super) fn detach(draft: &mut Draft, id: TaskId) -> Result<Answer, Refusal> {
    let task = draft.tasks.get(id).cloned().ok_or_else(|| Refusal::not_found("attachment", id))?;
    if !matches!(task.spec.runtime, Runtime::Attachment(_)) {
        return Err(Refusal::not_found("attachment", id));
    }
    draft.remove(&task);
    Ok(Answer::Done)
}

/// The network by id or by name.
fn find<'a>(state: &'a State, target: &str) -> Result<&'a Network, Refusal> {
    let by_id = target.parse().ok().and_then(|id| state.networks.get(id));
    let network = by_id.or_else(|| state.networks.named(target).next());
    network.map(AsRef::as_ref).ok_or_else(|| Refusal::not_found("network", target))
}

fn task(spec: TaskSpec, node: NodeId, cx: &mut Cx<'_>) -> Task {
    Task {
        id: TaskId::random(cx.chance),
        meta: Meta::default(),
        spec,
        service_id: None,
        slot: 0,
        node_id: Some(node),
        annotations: Annotations::default(),
        service_annotations: Annotations::default(),
        status: TaskStatus {
            timestamp: Some(cx.now),
            state: TaskState::New,
            message: "created".to_owned(),
            ..TaskStatus::default()
        },
        desired_state: TaskState::Running,
        networks: Vec::new(),
        endpoint: None,
        log_driver: None,
        spec_version: None,
        assigned_generic_resources: Vec::new(),
        job_iteration: None,
        volumes: Vec::new(),
    }
}
