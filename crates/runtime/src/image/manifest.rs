//! Manifests and indexes, as registries and OCI layouts have them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::digest::Digest;
use crate::image::error::ImageError;

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Manifest {
    /// One image.
    Image(Box<ImageManifest>),
    /// The same image for several platforms.
    Index(Vec<Descriptor>),
}

/// An image: its configuration, and its layers from the lowest up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageManifest {
    pub(crate) schema_version: u32,
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// What a blob is said to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Of which type.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// For which platform, in indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes of its maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What an image runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// Of which processor, by Go's names: `amd64`, `arm64` …
    #[serde(default)]
    pub architecture: String,
    /// On which kernel: `linux`.
    #[serde(default)]
    pub os: String,
    /// On which version of it.
    #[serde(default, rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// On which kind of processor: `v7`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Platform {
    /// What this machine runs.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self { architecture: architecture.to_owned(), os: "linux".to_owned(), ..Self::default() }
    }

    /// Reads `os[/architecture[/variant]]`; what is left out is as here.
    ///
    /// # Errors
    /// If it has more or empty parts.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let parts: Vec<&str> = text.split('/').collect();
        let here = Self::here();
        let (os, architecture, variant) = match parts[..] {
            [os] => (os, here.architecture.as_str(), ""),
            [os, architecture] => (os, architecture, ""),
            [os, architecture, variant] => (os, architecture, variant),
            _ => ("", "", ""),
        };
        if os.is_empty() || architecture.is_empty() || (parts.len() == 3 && variant.is_empty()) {
            return Err(ImageError::invalid(format!(
                "\"{text}\" is an invalid platform: it must be os[/arch[/variant]]"
            )));
        }
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Ok(Self {
            architecture: architecture.into(),
            os: os.into(),
            os_version: String::new(),
            variant: variant.into(),
        })
    }
}

impl Manifest {
    /// Reads a manifest of either kind.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let unreadable = |error: serde_json::Error| ImageError::invalid(format!("invalid manifest: {error}"));
        let either: Either = serde_json::from_slice(bytes).map_err(unreadable)?;
        let Either { schema_version, media_type, config, layers, manifests } = either;
        if schema_version != 2 {
            return Err(ImageError::invalid(format!(
                "unsupported manifest: schema version {schema_version}; only version 2 is supported"
            )));
        }
        match (config, layers, manifests) {
            (Some(config), Some(layers), None) => {
                if layers.len() > crate::image::config::LAYERS_MAX {
                    return Err(ImageError::invalid("invalid manifest: it has too many layers"));
                }
                Ok(Self::Image(Box::new(ImageManifest { schema_version, media_type, config, layers })))
            }
            (None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            _ => {
                Err(ImageError::invalid("invalid manifest: it is neither of an image nor an index of images"))
            }
        }
    }
}

/// The entry of an index that fits a platform best: of its kernel and processor, and of its variant if one is named,
/// else of the plainest.
pub(crate) fn choose<'a>(index: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let fitting = index.iter().filter(|entry| {
        entry.platform.as_ref().is_some_and(|found| {
            found.os == wanted.os
                && found.architecture == wanted.architecture
                && (wanted.variant.is_empty() || found.variant.is_empty() || found.variant == wanted.variant)
        })
    });
    fitting.min_by_key(|entry| {
        let variant = entry.platform.as_ref().map_or("", |platform| platform.variant.as_str());
        if wanted.variant.is_empty() {
            plainness(wanted, variant)
        } else {
            usize::from(variant != wanted.variant)
        }
    })
}

/// arm64 has one kind in use, v8; amd64's plain kind is v1; the better kinds come last, as not every processor is one.
fn plainness(wanted: &Platform, variant: &str) -> usize {
    match (wanted.architecture.as_str(), variant) {
        (_, "") | ("arm64", "v8") | ("amd64", "v1") => 0,
        (_, variant) => variant.trim_start_matches('v').parse().unwrap_or(usize::MAX),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Either {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

/// Bytes of a manifest: what registries accept themselves.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(text: &str) -> Descriptor {
        let platform = Some(Platform::parse(text).unwrap());
        let digest = Digest::of(text.as_bytes());
        Descriptor { media_type: String::new(), digest, size: 1, platform, annotations: None }
    }

    #[test]
    fn the_fitting_platform_is_chosen() {
        let index =
            ["linux/arm64/v8", "windows/amd64", "linux/amd64/v3", "linux/amd64", "linux/arm/v7"].map(entry);
        for (wanted, chosen) in [
            ("linux/amd64", Some("linux/amd64")),
            ("linux/amd64/v3", Some("linux/amd64/v3")),
            ("linux/x86_64", Some("linux/amd64")),
            ("linux/arm64", Some("linux/arm64/v8")),
            ("linux/arm/v7", Some("linux/arm/v7")),
            ("linux/s390x", None),
        ] {
            let found = choose(&index, &Platform::parse(wanted).unwrap()).map(|entry| entry.digest);
            assert_eq!(found, chosen.map(|text| Digest::of(text.as_bytes())), "{wanted}");
        }
    }

    #[test]
    fn wrong_platforms_and_manifests_are_refused() {
        for text in ["", "linux/", "/amd64", "a/b/c/d", "a/b/"] {
            assert!(Platform::parse(text).is_err(), "{text}");
        }
        for (text, part) in [
            ("", "invalid manifest"),
            ("{}", "schema version 0"),
            (r#"{"schemaVersion":1}"#, "schema version 1"),
            (r#"{"schemaVersion":2}"#, "neither"),
            (r#"{"schemaVersion":2,"config":{"digest":"x","size":1},"layers":[]}"#, "invalid digest"),
            (r#"{"schemaVersion":2,"manifests":[{}]}"#, "missing field"),
            (r#"{"schemaVersion":2,"layers":[]}"#, "neither"),
        ] {
            let message = Manifest::parse(text.as_bytes()).unwrap_err().message;
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,20}") {
            let _ = Manifest::parse(&bytes);
            let _ = Platform::parse(&text);
        }
    }
}
