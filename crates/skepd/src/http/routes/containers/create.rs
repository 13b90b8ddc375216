//! New containers.

use api::ApiError;
use api::container::{ContainerCreate, ContainerCreated};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use model::image::ImageRef;
use runtime::container::ContainerId;

use super::describe::describe;
use crate::connect::Wiring;
use crate::daemon::Daemon;
use crate::executor::image::image_use;
use crate::http::error::{Answer, Failure};
use crate::http::request::{self, Query};
use crate::http::respond;
use crate::http::routes::Shared;

pub(super) async fn create(State(daemon): Shared, query: Query, request: Request) -> Answer {
    let create = ContainerCreate::read(&request::body(request).await?)?;
    if create.config.image.is_empty() {
        return Err(ApiError::invalid("Config.Image: a container needs an image").into());
    }
    let find = |text: &str| container(&daemon, text);
    let mut description = describe(&create, &find)?;
    let image = &create.config.image;
    let id = daemon.images.resolve(image).map_err(|error| familiar(image, error))?;
    description.image = image_use(&daemon.images, image, id)?;
    description.name = name(query.text("name"))?;
    let mut wiring = Wiring::of(&description);
    wiring.sandbox.name.clone_from(&description.name);
    wiring.note(&mut description);
    daemon.containers.expect_start();
    let id = daemon.containers.create(description).await?;
    let created = ContainerCreated { id: id.to_string(), warnings: Vec::new() };
    Ok(respond::json_with(StatusCode::CREATED, &created))
}

/// The container that is shared with; one that is not there is the request's fault.
fn container(daemon: &Daemon, text: &str) -> Result<ContainerId, ApiError> {
    daemon.containers.resolve(text).map_err(|error| ApiError::invalid(error.to_string()))
}

/// A missing image is told with the tag that was meant: clients pull it then.
fn familiar(image: &str, error: runtime::image::ImageError) -> Failure {
    match (&error.kind, ImageRef::parse(image)) {
        (runtime::image::ImageErrorKind::NotFound, Ok(reference)) => {
            ApiError::not_found(format!("No such image: {}", reference.familiar())).into()
        }
        _ => error.into(),
    }
}

/// The name that was wished, or one by chance.
fn name(wished: &str) -> Result<String, ApiError> {
    let wished = wished.trim_start_matches('/');
    if wished.is_empty() {
        let mut chance = host::chance::chance().map_err(|error| ApiError::internal(error.to_string()))?;
        return Ok(api::name::random(&mut chance));
    }
    let first = wished.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if wished.len() > 1 && first && wished.chars().all(rest) {
        return Ok(wished.to_owned());
    }
    let rule = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed";
    Err(ApiError::invalid(format!("Invalid container name ({wished}), {rule}")))
}
