//! Answers in their usual forms.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

/// 200 and JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    json_with(StatusCode::OK, value)
}

/// A status and JSON, with a newline at its end.
pub(crate) fn json_with<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let mut text = serde_json::to_vec(value).expect("answers are made of what JSON can say");
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 200 and nothing more.
pub(crate) fn ok() -> Response {
    Response::new(Body::empty())
}

/// 201 and nothing more.
pub(crate) fn created() -> Response {
    status(StatusCode::CREATED)
}

/// 204: there is nothing to say.
pub(crate) fn no_content() -> Response {
    status(StatusCode::NO_CONTENT)
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
