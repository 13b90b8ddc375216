//! Configs: created, labelled anew, removed (`control.md` section 11).

use std::sync::Arc;

use model::limits::CONFIG_BYTES_MAX;
use model::name::check_secret;
use model::{Config, ConfigId, ConfigSpec, Cx, Meta, Refusal, RefusalKind, Version};
use store::Draft;

use super::{check_version, taken};
use crate::leader::request::Answer;

/// Creates a config, unless its name is taken.
pub(super) fn create(draft: &mut Draft, spec: ConfigSpec, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    check_secret(&spec.annotations.name)?;
    if spec.data.is_empty() || spec.data.len() >= CONFIG_BYTES_MAX {
        let message = format!("config data must be larger than 0 and less than {CONFIG_BYTES_MAX} bytes");
        return Err(Refusal::invalid(message));
    }
    let name = &spec.annotations.name;
    if draft.configs.named(name).next().is_some() {
        return Err(taken(format!("config {name} already exists")));
    }
    let id = ConfigId::random(cx.chance);
    draft.create(Config { id, meta: Meta::default(), spec });
    Ok(answer(draft, id))
}

/// Gives a config other labels. Its bytes never change.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (ConfigId, Version),
    spec: ConfigSpec,
) -> Result<Answer, Refusal> {
    let config = draft.configs.get(id).cloned().ok_or_else(|| missing(id))?;
    check_version(&config.meta, version)?;
    let ConfigSpec { annotations, data, templating } = &spec;
    let same_data = data.is_empty() || *data == config.spec.data;
    let same = annotations.name == config.spec.annotations.name && *templating == config.spec.templating;
    if !(same && same_data) {
        return Err(Refusal::invalid("only updates to Labels are allowed"));
    }
    let mut next = Config::clone(&config);
    next.spec.annotations = spec.annotations;
    draft.update(next);
    Ok(answer(draft, id))
}

/// Removes a config that no service uses.
pub(super) fn remove(draft: &mut Draft, id: ConfigId) -> Result<Answer, Refusal> {
    let config = draft.configs.get(id).cloned().ok_or_else(|| missing(id))?;
    let users = draft.services.iter().filter(|service| {
        let container = service.spec.task.container();
        container.is_some_and(|container| container.configs.iter().any(|used| used.config_id == id))
    });
    let users: Vec<&str> = users.map(|service| service.spec.annotations.name.as_str()).collect();
    if !users.is_empty() {
        let name = &config.spec.annotations.name;
        return Err(Refusal::invalid(format!("config '{name}' is in use by {}", users_text(&users))));
    }
    draft.remove(&config);
    Ok(Answer::Done)
}

/// The services that use something, in words.
pub(super) fn users_text(users: &[&str]) -> String {
    let noun = if users.len() == 1 { "service" } else { "services" };
    format!("the following {noun}: {}", users.join(", "))
}

fn answer(draft: &Draft, id: ConfigId) -> Answer {
    Answer::Config(Arc::clone(draft.configs.get(id).expect("it was drafted a moment ago")))
}

fn missing(id: ConfigId) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("could not find config {id}"))
}
