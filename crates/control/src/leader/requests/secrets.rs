//! Secrets: created, labelled anew, removed (`control.md` section 11).

use std::sync::Arc;

use model::limits::SECRET_BYTES_MAX;
use model::name::check_secret;
use model::{Cx, Meta, Refusal, RefusalKind, Secret, SecretId, SecretSpec, Version};
use store::Draft;

use super::configs::users_text;
use super::{check_version, taken};
use crate::leader::request::Answer;

/// Creates a secret, unless its name is taken.
pub(super) fn create(draft: &mut Draft, spec: SecretSpec, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    check_spec(&spec)?;
    let name = &spec.annotations.name;
    if draft.secrets.named(name).next().is_some() {
        return Err(taken(format!("secret {name} already exists")));
    }
    let id = SecretId::random(cx.chance);
    draft.create(Secret { id, meta: Meta::default(), spec, internal: false });
    Ok(answer(draft, id))
}

/// Gives a secret other labels. Its bytes never change, and whoever updates does not have them.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (SecretId, Version),
    spec: SecretSpec,
) -> Result<Answer, Refusal> {
    let secret = draft.secrets.get(id).cloned().ok_or_else(|| missing(id))?;
    check_version(&secret.meta, version)?;
    let SecretSpec { annotations, data, templating, driver } = &spec;
    let same_data = data.is_empty() || *data == secret.spec.data;
    let same = annotations.name == secret.spec.annotations.name
        && *templating == secret.spec.templating
        && *driver == secret.spec.driver;
    if !(same && same_data) {
        return Err(Refusal::invalid("only updates to Labels are allowed"));
    }
    let mut next = Secret::clone(&secret);
    next.spec.annotations = spec.annotations;
    draft.update(next);
    Ok(answer(draft, id))
}

/// Removes a secret that no service uses.
pub(super) fn remove(draft: &mut Draft, id: SecretId) -> Result<Answer, Refusal> {
    let secret = draft.secrets.get(id).cloned().ok_or_else(|| missing(id))?;
    let users = draft.services.iter().filter(|service| {
        let container = service.spec.task.container();
        container.is_some_and(|container| container.secrets.iter().any(|used| used.secret_id == id))
    });
    let users: Vec<&str> = users.map(|service| service.spec.annotations.name.as_str()).collect();
    if !users.is_empty() {
        let name = &secret.spec.annotations.name;
        return Err(Refusal::invalid(format!("secret '{name}' is in use by {}", users_text(&users))));
    }
    draft.remove(&secret);
    Ok(Answer::Done)
}

fn answer(draft: &Draft, id: SecretId) -> Answer {
    Answer::Secret(Arc::clone(draft.secrets.get(id).expect("it was drafted a moment ago")))
}

fn missing(id: SecretId) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("could not find secret {id}"))
}

fn check_spec(spec: &SecretSpec) -> Result<(), Refusal> {
    check_secret(&spec.annotations.name)?;
    match &spec.driver {
        Some(driver) if driver.name.is_empty() => Err(Refusal::invalid("secret driver must have a name")),
        Some(_) if !spec.data.is_empty() => {
            Err(Refusal::invalid("secret data must be empty when a driver is used"))
        }
        None if spec.data.is_empty() || spec.data.len() >= SECRET_BYTES_MAX => {
            let message = "secret data must be larger than 0 and less than 512000 bytes";
            Err(Refusal::invalid(message))
        }
        _ => Ok(()),
    }
}
