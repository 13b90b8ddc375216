//! Exchanges an identity token, which `docker login` got from an identity provider, for one that the registry takes.
//!
//! This is OAuth 2's refresh, which the registry client does not speak. In: the token. Out: a token for one
//! repository. Both are told to nobody else and kept by nobody here.

use model::Duration;
use serde::Deserialize;

use crate::image::error::{ImageError, ImageErrorKind};

/// Where to exchange, as the registry said when it refused us.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: String,
}

/// A token for this scope, `repository:path:actions`. `base` is the registry with its scheme.
pub(crate) async fn exchange(
    base: &str,
    scope: &str,
    (token, patience): (&str, Duration),
) -> Result<String, ImageError> {
    let denied =
        |why: &str| ImageError::new(ImageErrorKind::Denied, format!("registry {base}: unauthorized: {why}"));
    let silent = |_| ImageError::new(ImageErrorKind::Registry, format!("registry {base} cannot be reached"));
    let client = reqwest::Client::builder().timeout(patience).build().map_err(silent)?;
    let refused = client.get(format!("{base}/v2/")).send().await.map_err(silent)?;
    let headers = refused.headers().get_all(reqwest::header::WWW_AUTHENTICATE).iter();
    let Challenge { realm, service } = headers
        .filter_map(|header| header.to_str().ok())
        .find_map(challenge)
        .ok_or_else(|| denied("it does not take identity tokens"))?;
    let form = [
        ("grant_type", "refresh_token"),
        ("service", &service),
        ("client_id", "skep"),
        ("scope", scope),
        ("refresh_token", token),
    ];
    let body = form.map(|(key, value)| format!("{key}={}", escaped(value))).join("&");
    let request =
        client.post(realm).header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.map_err(silent)?;
    if !answer.status().is_success() {
        return Err(denied("the identity token was refused: log in again"));
    }
    let Granted { access_token } =
        answer.json().await.map_err(|_| denied("its token service answered garbage"))?;
    Ok(access_token)
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

/// Reads `Bearer realm="…",service="…"`.
fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, String::new());
    let mut rest = rest;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').map_or((after, ""), |(value, after)| (value, after)),
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value.to_owned()),
            "service" => value.clone_into(&mut service),
            _ => {}
        }
        rest = after.trim_start_matches([',', ' ']);
    }
    Some(Challenge { realm: realm?, service })
}

/// As forms are written: everything but letters, digits and a few marks by its number.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn challenges_are_read() {
        let read =
            |realm: &str, service: &str| Some(Challenge { realm: realm.into(), service: service.into() });
        for (header, expected) in [
            (r#"Bearer realm="https://a/token",service="a, b",scope="x""#, read("https://a/token", "a, b")),
            (r#"bearer service=a, realm="r""#, read("r", "a")),
            (r#"Basic realm="a""#, None),
            (r#"Bearer service="a""#, None),
            (r#"Bearer realm="a"#, None),
            ("", None),
        ] {
            assert_eq!(challenge(header), expected, "{header}");
        }
        assert_eq!(escaped("a b/ü"), "a%20b%2F%C3%BC");
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(header in "(Bearer )?.{0,40}") {
            let _ = challenge(&header);
        }
    }
}
