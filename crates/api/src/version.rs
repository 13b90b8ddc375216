//! Versions of the API: which are spoken, and which a client asks for.

use std::fmt;
use std::str::FromStr;

use crate::error::ApiError;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Always 1.
    pub major: u16,
    /// Grows with every change.
    pub minor: u16,
}

impl ApiVersion {
    /// The oldest that is spoken.
    pub const MIN: Self = Self::v(24);
    /// The newest that is spoken; what a request without a version means.
    pub const MAX: Self = Self::v(51);

    /// Version 1.`minor`.
    pub const fn v(minor: u16) -> Self {
        Self { major: 1, minor }
    }

    /// Judges the version of a request's path, without its leading `v`.
    pub fn negotiate(text: &str) -> Result<Self, ApiError> {
        let Ok(version) = text.parse::<Self>() else {
            return Err(ApiError::invalid(format!("invalid API version: \"{text}\"")));
        };
        if version > Self::MAX {
            let max = Self::MAX;
            return Err(ApiError::invalid(format!(
                "client version {version} is too new. Maximum supported API version is {max}"
            )));
        }
        if version < Self::MIN {
            let min = Self::MIN;
            return Err(ApiError::invalid(format!(
                "client version {version} is too old. Minimum supported API version is {min}, \
                 please upgrade your client to a newer version"
            )));
        }
        Ok(version)
    }
}

impl Default for ApiVersion {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no version of the API")]
pub struct NotAVersion(pub String);

impl FromStr for ApiVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let refuse = || NotAVersion(text.to_owned());
        let (major, minor) = text.split_once('.').ok_or_else(refuse)?;
        let number = |digits: &str| digits.parse().map_err(|_| refuse());
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_outside_of_the_range_are_refused_in_known_words() {
        for (text, message) in [
            ("1.52", "client version 1.52 is too new. Maximum supported API version is 1.51"),
            (
                "1.12",
                "client version 1.12 is too old. Minimum supported API version is 1.24, \
                 please upgrade your client to a newer version",
            ),
            ("1.x", "invalid API version: \"1.x\""),
        ] {
            assert_eq!(ApiVersion::negotiate(text), Err(ApiError::invalid(message)));
        }
        assert_eq!(ApiVersion::negotiate("1.24"), Ok(ApiVersion::MIN));
        assert!(ApiVersion::v(9) < ApiVersion::v(24));
    }
}
