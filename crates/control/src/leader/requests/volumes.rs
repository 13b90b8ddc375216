//! Cluster volumes: created, changed, removed (`control.md` section 11).

use std::sync::Arc;

use model::{Cx, Meta, Refusal, RefusalKind, TaskState, Version, Volume, VolumeId, VolumeSpec};
use store::{Draft, State};

use super::{check_version, not_now};
use crate::leader::request::Answer;

/// Creates a cluster volume, unless its name is taken.
pub(super) fn create(draft: &mut Draft, spec: VolumeSpec, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    check_spec(&spec)?;
    if draft.volumes.named(&spec.annotations.name).next().is_some() {
        return Err(Refusal::new(RefusalKind::AlreadyExists, "name conflicts with an existing object"));
    }
    let id = VolumeId::random(cx.chance);
    draft.create(Volume {
        id,
        meta: Meta::default(),
        spec,
        publish_status: Vec::new(),
        info: None,
        pending_delete: false,
    });
    Ok(answer(draft, id))
}

/// Gives a cluster volume other labels, or another availability.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (VolumeId, Version),
    spec: VolumeSpec,
) -> Result<Answer, Refusal> {
    let volume = draft.volumes.get(id).cloned().ok_or_else(|| Refusal::not_found("volume", id))?;
    check_version(&volume.meta, version)?;
    let mut allowed = volume.spec.clone();
    allowed.annotations.labels.clone_from(&spec.annotations.labels);
    allowed.availability = spec.availability;
    if allowed != spec {
        return Err(Refusal::invalid("only updates to Labels and Availability are allowed"));
    }
    draft.update(Volume { spec, ..Volume::clone(&volume) });
    Ok(answer(draft, id))
}

/// Removes a cluster volume that no task uses: marks it, so that its plugin lets it go first; by force at once.
pub(super) fn remove(draft: &mut Draft, id: VolumeId, force: bool) -> Result<Answer, Refusal> {
    let volume = draft.volumes.get(id).cloned().ok_or_else(|| Refusal::not_found("volume", id))?;
    if force {
        draft.remove(&volume);
        return Ok(Answer::Done);
    }
    if !volume.publish_status.is_empty() || is_used(draft, id) {
        return Err(not_now("volume is still in use"));
    }
    draft.edit(&volume, |volume| volume.pending_delete = true);
    Ok(Answer::Done)
}

fn answer(draft: &Draft, id: VolumeId) -> Answer {
    Answer::Volume(Arc::clone(draft.volumes.get(id).expect("it was drafted a moment ago")))
}

fn is_used(state: &State, id: VolumeId) -> bool {
    let alive = state.tasks.iter().filter(|task| task.status.state <= TaskState::Running);
    alive.flat_map(|task| &task.volumes).any(|used| used.id == id)
}

fn check_spec(spec: &VolumeSpec) -> Result<(), Refusal> {
    if spec.annotations.name.is_empty() {
        return Err(Refusal::invalid("meta: name must be provided"));
    }
    if spec.driver.as_ref().is_none_or(|driver| driver.name.is_empty()) {
        return Err(Refusal::invalid("driver must be specified"));
    }
    match &spec.access_mode {
        None => Err(Refusal::invalid("AccessMode must not be nil")),
        Some(mode) if mode.access.is_none() => {
            Err(Refusal::invalid("volume AccessMode must specify either Mount or Block access type"))
        }
        Some(_) => Ok(()),
    }
}
