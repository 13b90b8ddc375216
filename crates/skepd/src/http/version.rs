//! The version in front of every path: read, judged, taken off, and kept with the request.

use api::{ApiError, ApiVersion};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Splits `/v1.41/info` into the version and `/info`. A path without a version means the newest.
///
/// # Errors
/// If the version is not spoken.
pub(crate) fn split(uri: &Uri) -> Result<(ApiVersion, Uri), ApiError> {
    let Some((version, rest)) = prefix(uri.path()) else { return Ok((ApiVersion::MAX, uri.clone())) };
    let version = ApiVersion::negotiate(version)?;
    let path = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let path = PathAndQuery::try_from(path).expect("a part of a path is a path");
    Ok((version, Uri::from(path)))
}

fn prefix(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v")?;
    let slash = rest.find('/')?;
    let (version, rest) = rest.split_at(slash);
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((version, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_taken_off_the_path() {
        for (uri, version, rest) in [
            ("/v1.41/info", ApiVersion::v(41), "/info"),
            ("/info?a=b", ApiVersion::MAX, "/info?a=b"),
            ("/v1.24/tasks?filters=%7B%7D", ApiVersion::v(24), "/tasks?filters=%7B%7D"),
            ("/volumes", ApiVersion::MAX, "/volumes"),
            ("/version", ApiVersion::MAX, "/version"),
        ] {
            let (found, uri) = split(&uri.parse().unwrap()).unwrap();
            assert_eq!((found, uri.to_string().as_str()), (version, rest));
        }
    }

    #[test]
    fn versions_that_are_not_spoken_are_refused() {
        for uri in ["/v1.99/info", "/v1.2/info", "/v9/info", "/v1.x/info"] {
            assert_eq!(split(&uri.parse().unwrap()).unwrap_err().status, 400, "{uri}");
        }
    }
}
