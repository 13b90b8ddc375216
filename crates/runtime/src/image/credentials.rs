//! What a client may send along so that a registry lets us in: Docker's header `X-Registry-Auth`.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::image::error::ImageError;

/// How to be let in by a registry.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credentials {
    /// Without a name.
    #[default]
    Anonymous,
    /// By name and password.
    Password {
        /// Whose.
        username: String,
        /// What only they know.
        password: String,
    },
    /// By a token that an identity provider gave, to be exchanged.
    IdentityToken(String),
    /// By a token that the registry itself takes.
    RegistryToken(String),
}

impl Credentials {
    /// Reads the header: base64 of JSON, with either alphabet, with or without padding. An empty one is anonymous.
    ///
    /// # Errors
    /// If it cannot be read. What it says is never part of the error.
    pub fn parse(header: &str) -> Result<Self, ImageError> {
        if header.trim().is_empty() {
            return Ok(Self::Anonymous);
        }
        let wrong = || ImageError::invalid("invalid X-Registry-Auth header: it must be base64 of JSON");
        let letters: String = header.trim().chars().map(url_safe).collect();
        let json = FORGIVING.decode(letters).map_err(|_| wrong())?;
        let said: Option<Said> = serde_json::from_slice(&json).map_err(|_| wrong())?;
        let Some(said) = said else { return Ok(Self::Anonymous) };
        let Said { username, password, identitytoken, registrytoken, auth } = said;
        if !registrytoken.is_empty() {
            return Ok(Self::RegistryToken(registrytoken));
        }
        if !identitytoken.is_empty() {
            return Ok(Self::IdentityToken(identitytoken));
        }
        if !username.is_empty() {
            return Ok(Self::Password { username, password });
        }
        if auth.is_empty() {
            return Ok(Self::Anonymous);
        }
        let letters: String = auth.chars().map(url_safe).collect();
        let both = FORGIVING
            .decode(letters)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(wrong)?;
        let (username, password) = both.split_once(':').ok_or_else(wrong)?;
        Ok(Self::Password { username: username.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Credentials {
    /// Leaves out all secrets: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Said {
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
    auth: String,
}

fn url_safe(letter: char) -> char {
    match letter {
        '+' => '-',
        '/' => '_',
        other => other,
    }
}

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(json: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(json)
    }

    #[test]
    fn every_form_of_the_header_is_read() {
        let password = Credentials::Password { username: "a".into(), password: "b>?".into() };
        for (header, read) in [
            (String::new(), Credentials::Anonymous),
            (encoded("{}"), Credentials::Anonymous),
            (encoded("null"), Credentials::Anonymous),
            (encoded(r#"{"username":"a","password":"b>?","serveraddress":"x"}"#), password.clone()),
            (encoded(r#"{"username":"a","password":"b>?"}"#).replace('+', "-").replace('=', ""), password),
            (encoded(r#"{"identitytoken":"t"}"#), Credentials::IdentityToken("t".into())),
            (encoded(r#"{"registrytoken":"t"}"#), Credentials::RegistryToken("t".into())),
            (
                encoded(r#"{"auth":"YTpi"}"#),
                Credentials::Password { username: "a".into(), password: "b".into() },
            ),
        ] {
            assert!(Credentials::parse(&header).unwrap() == read, "{header}");
        }
    }

    #[test]
    fn wrong_headers_are_refused_without_their_text() {
        for header in
            ["!", "secret", &encoded("[secret"), &encoded(r#"{"username":7}"#), &encoded(r#"{"auth":"YQ"}"#)]
        {
            let message = Credentials::parse(header).unwrap_err().message;
            assert!(message.contains("base64 of JSON") && !message.contains("secret"), "{message}");
        }
        let password = Credentials::Password { username: "me".into(), password: "secret".into() };
        assert_eq!(format!("{password:?}"), "Password");
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(header in ".{0,60}", json in ".{0,60}") {
            let _ = Credentials::parse(&header);
            let _ = Credentials::parse(&encoded(&json));
        }
    }
}
