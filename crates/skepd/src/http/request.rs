//! What requests carry: a query, a version, a JSON body.

use std::convert::Infallible;
use std::str::FromStr;

use api::{ApiError, ApiVersion, Filters};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;

use crate::http::Failure;

/// Bytes of a JSON body. The largest honest one is a config with its megabyte in base64.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the text behind the question mark.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(decoded).collect())
    }

    /// The first value of a key, or nothing.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.iter().find(|(found, _)| found == key).map_or("", |(_, value)| value)
    }

    /// All values of a key.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// True unless the value is absent or one of the words for no.
    pub(crate) fn truth(&self, key: &str) -> bool {
        !matches!(self.text(key).trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// As [`Query::truth`], but another value if the key is absent.
    pub(crate) fn truth_or(&self, key: &str, absent: bool) -> bool {
        if self.text(key).is_empty() { absent } else { self.truth(key) }
    }

    /// A number; `None` if the key is absent.
    ///
    /// # Errors
    /// If it is no number.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        let text = self.text(key);
        if text.is_empty() {
            return Ok(None);
        }
        let refuse = |_| ApiError::invalid(format!("invalid value for {key}: \"{text}\" is not a number"));
        text.parse().map(Some).map_err(refuse)
    }

    /// The version an update was made from, which must be given.
    ///
    /// # Errors
    /// If it is absent or no number: in the words that clients have come to expect.
    pub(crate) fn version_of(&self, kind: &str) -> Result<model::Version, ApiError> {
        let text = self.text("version");
        let index = text.parse().map_err(|_| {
            let parsing = format!("strconv.ParseUint: parsing \"{text}\": invalid syntax");
            ApiError::invalid(format!("invalid {kind} version '{text}': {parsing}"))
        })?;
        Ok(model::Version { index })
    }

    /// The filters, of which only these are known.
    ///
    /// # Errors
    /// If they are no filters, or others.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<Filters, ApiError> {
        Filters::parse(self.text("filters"), known)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

fn decoded((key, value): (&str, &str)) -> (String, String) {
    (percent_decoded(key), percent_decoded(value))
}

/// Takes `%41` and `+` back. What is no code stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                decoded.push(code);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A text as it stands in a query: all but letters, digits and four signs as `%41`, and spaces as `+`.
pub(crate) fn query_escaped(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escaped).collect()
}

/// The version that a client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken(pub(crate) ApiVersion);

impl<S: Sync> FromRequestParts<S> for Spoken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(ApiVersion::MAX)))
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Ok(Self(api::read(&body(request).await?)?))
    }
}

/// A JSON body that may be absent.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let text = body(request).await?;
        Ok(Self(if text.is_empty() { T::default() } else { api::read(&text)? }))
    }
}

/// The whole body, if it calls itself JSON (or nothing) and is not too large.
///
/// # Errors
/// If it is neither, or the client is gone.
pub(crate) async fn body(request: Request) -> Result<Bytes, Failure> {
    let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?").to_owned());
    let read = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let text =
        read.map_err(|error| ApiError::new(413, format!("reading the request body: {error}")))?.to_bytes();
    let is_json =
        |kind: &String| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
    match kind {
        Some(kind) if !text.is_empty() && !is_json(&kind) => {
            let message = format!("unsupported Content-Type header ({kind}): must be 'application/json'");
            Err(ApiError::invalid(message).into())
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let query = Query::parse("filters=%7B%22a%22%3A%5B%22b+c%22%5D%7D&all=1&force=false&x");
        assert_eq!(query.text("filters"), r#"{"a":["b c"]}"#);
        assert!(
            query.truth("all") && !query.truth("force") && !query.truth("x") && query.truth_or("y", true)
        );
    }

    #[test]
    fn a_version_is_refused_in_known_words() {
        let refused = Query::parse("version=abc").version_of("service").unwrap_err();
        let message = "invalid service version 'abc': strconv.ParseUint: parsing \"abc\": invalid syntax";
        assert_eq!(refused, ApiError::invalid(message));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".*") {
            let _ = Query::parse(&text);
        }
    }
}
