//! What a client is told when something is refused: the status and `{"message": …}`.

use api::ApiError;
use api::error::ErrorBody;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::Refusal;
use runtime::container::ContainerError;
use runtime::image::{ImageError, ImageErrorKind};
use runtime::volume::VolumeError;

use crate::http::respond;

/// A refusal on its way to a client.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) ApiError);

/// How every route ends.
pub(crate) type Answer = Result<Response, Failure>;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(ApiError { status, message }) = self;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond::json_with(status, &ErrorBody { message })
    }
}

impl<E: Into<Refused>> From<E> for Failure {
    fn from(error: E) -> Self {
        let Refused(error) = error.into();
        Self(error)
    }
}

/// Any error that has a status. It stands between because [`Failure`] cannot be made from itself.
pub(crate) struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<api::Malformed> for Refused {
    fn from(malformed: api::Malformed) -> Self {
        Self(malformed.into())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}

impl From<ImageError> for Refused {
    fn from(ImageError { kind, message }: ImageError) -> Self {
        let status = match kind {
            ImageErrorKind::NotFound => 404,
            ImageErrorKind::Conflict => 409,
            ImageErrorKind::Invalid => 400,
            ImageErrorKind::Denied | ImageErrorKind::Registry | ImageErrorKind::Machine => 500,
        };
        Self(ApiError::new(status, message))
    }
}

impl From<ContainerError> for Refused {
    fn from(error: ContainerError) -> Self {
        let status = match &error {
            ContainerError::NotFound(_)
            | ContainerError::ExecNotFound(_)
            | ContainerError::NoSuchFile { .. } => 404,
            ContainerError::ReadOnly(_) => 403,
            ContainerError::Volume(error) => volume_status(error),
            ContainerError::NameTaken { .. } | ContainerError::Conflict(_) => 409,
            ContainerError::Ambiguous(_) | ContainerError::Invalid(_) => 400,
            ContainerError::NotModified(_) => 304,
            ContainerError::Start { exit_code: 126 | 127, .. } => 400,
            ContainerError::NotBuilt(_) => 501,
            ContainerError::ShuttingDown => 503,
            ContainerError::Start { .. }
            | ContainerError::Missing { .. }
            | ContainerError::Machine { .. } => 500,
        };
        Self(ApiError::new(status, chain(&error)))
    }
}

fn volume_status(error: &VolumeError) -> u16 {
    match error {
        VolumeError::NotFound(_) | VolumeError::Driver(_) => 404,
        VolumeError::Invalid(_) => 400,
        VolumeError::Different(_) | VolumeError::InUse { .. } => 409,
        VolumeError::Machine { .. } => 500,
    }
}

impl From<VolumeError> for Refused {
    fn from(error: VolumeError) -> Self {
        Self(ApiError::new(volume_status(&error), chain(&error)))
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
