//! Foreign objects and their kinds (`control.md` section 11).

use std::sync::Arc;

use model::meta::Payload;
use model::{
    Annotations, Cx, Extension, ExtensionId, Meta, Refusal, RefusalKind, Resource, ResourceId, Version,
};
use store::Draft;

use super::{check_version, not_now};
use crate::leader::request::Answer;

/// Creates a kind of foreign objects. It never changes.
pub(super) fn create(
    draft: &mut Draft,
    annotations: Annotations,
    description: String,
    cx: &mut Cx<'_>,
) -> Result<Answer, Refusal> {
    let name = &annotations.name;
    check_name("extension", name)?;
    if draft.extensions.named(name).next().is_some() {
        return Err(Refusal::new(RefusalKind::AlreadyExists, format!("extension {name} already exists")));
    }
    let extension =
        Extension { id: ExtensionId::random(cx.chance), meta: Meta::default(), annotations, description };
    let id = extension.id;
    draft.create(extension);
    let extension = draft.extensions.get(id).expect("it was drafted a moment ago");
    Ok(Answer::Extension(Arc::clone(extension)))
}

/// Removes a kind that has no objects.
pub(super) fn remove(draft: &mut Draft, id: ExtensionId) -> Result<Answer, Refusal> {
    let missing = || Refusal::new(RefusalKind::NotFound, format!("could not find extension {id}"));
    let extension = draft.extensions.get(id).cloned().ok_or_else(missing)?;
    let name = &extension.annotations.name;
    let users = draft.resources.iter().filter(|resource| resource.kind == *name);
    let users: Vec<&str> = users.map(|resource| resource.annotations.name.as_str()).collect();
    if !users.is_empty() {
        let message = format!("extension {name} is in use by the following resources: {}", users.join(", "));
        return Err(Refusal::invalid(message));
    }
    draft.remove(&extension);
    Ok(Answer::Done)
}

/// Creates a foreign object of a kind that exists.
pub(super) fn create_resource(
    draft: &mut Draft,
    annotations: Annotations,
    (kind, payload): (String, Option<Payload>),
    cx: &mut Cx<'_>,
) -> Result<Answer, Refusal> {
    let name = &annotations.name;
    check_name("resource", name)?;
    if kind.is_empty() {
        return Err(Refusal::invalid("Resource must belong to an Extension"));
    }
    if !draft.extensions.named(&kind).any(|extension| extension.annotations.name == kind) {
        return Err(not_now(format!("Object kind {kind} is unregistered")));
    }
    if draft.resources.named(name).any(|resource| resource.kind == kind) {
        let message = format!("A resource with name {name} already exists");
        return Err(Refusal::new(RefusalKind::AlreadyExists, message));
    }
    let id = ResourceId::random(cx.chance);
    draft.create(Resource { id, meta: Meta::default(), annotations, kind, payload });
    Ok(answer(draft, id))
}

/// Gives a foreign object other labels or another payload.
pub(super) fn update_resource(
    draft: &mut Draft,
    (id, version): (ResourceId, Version),
    annotations: Option<Annotations>,
    payload: Option<Payload>,
) -> Result<Answer, Refusal> {
    let resource = draft.resources.get(id).cloned().ok_or_else(|| missing(id))?;
    check_version(&resource.meta, version)?;
    let mut next = Resource::clone(&resource);
    if let Some(annotations) = annotations {
        if annotations.name != next.annotations.name {
            return Err(Refusal::invalid("the name of a resource cannot be changed"));
        }
        next.annotations = annotations;
    }
    next.payload = payload.or(next.payload);
    draft.update(next);
    Ok(answer(draft, id))
}

/// Removes a foreign object.
pub(super) fn remove_resource(draft: &mut Draft, id: ResourceId) -> Result<Answer, Refusal> {
    let resource = draft.resources.get(id).cloned().ok_or_else(|| missing(id))?;
    draft.remove(&resource);
    Ok(Answer::Done)
}

fn answer(draft: &Draft, id: ResourceId) -> Answer {
    Answer::Resource(Arc::clone(draft.resources.get(id).expect("it was drafted a moment ago")))
}

fn missing(id: ResourceId) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("resource {id} not found"))
}

fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() { Err(Refusal::invalid(format!("{what} name must be provided"))) } else { Ok(()) }
}
