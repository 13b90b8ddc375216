//! What an image says about itself: the document its id is the digest of.
//!
//! In: the document, from a registry or an archive. Out: what a container needs ([`ImageConfig`]), and what
//! `image inspect` and `history` show. Unknown fields stay in the document; they are not lost, only not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::error::ImageError;

/// What a container takes from its image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `user[:group]`, by name or number; empty means root.
    #[serde(deserialize_with = "null_is_default")]
    pub user: String,
    /// `port/protocol`, each.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`, each.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(with = "null_if_empty")]
    pub entrypoint: Vec<String>,
    /// Arguments, or the program if there is no entrypoint.
    #[serde(with = "null_if_empty")]
    pub cmd: Vec<String>,
    /// Folders that get a volume.
    #[serde(with = "null_if_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// Where the process starts; empty means the root.
    #[serde(deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(with = "null_if_empty")]
    pub labels: BTreeMap<String, String>,
    /// Which signal asks it to stop; empty means SIGTERM.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// How to see that it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The shell of lines, for `HEALTHCHECK` and the like.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// What was to be done when an image was built on this one.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Whether the entrypoint's text is one unsplit command; of Windows images.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub args_escaped: bool,
}

/// How an image wants its containers' health to be seen. Durations are nanoseconds; 0 means the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a line.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between two tests.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// The longest a test may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Failures this soon after the start do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two tests while it starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// So many failures in a row make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ImageDocument {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) architecture: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) os: String,
    #[serde(
        rename = "os.version",
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) os_version: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) created: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) author: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) comment: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) docker_version: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) config: Arc<ImageConfig>,
    pub(crate) rootfs: RootFs,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) history: Vec<HistoryEntry>,
}

/// The layers of an image, lowest first, as uncompressed archives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

/// One step of how an image came to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HistoryEntry {
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) created: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) created_by: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) author: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) comment: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub(crate) empty_layer: bool,
}

impl ImageDocument {
    /// Reads a document, and refuses one that no image of this kind of machine can have.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let document: Self = serde_json::from_slice(bytes)
            .map_err(|error| ImageError::invalid(format!("invalid image configuration: {error}")))?;
        if document.rootfs.diff_ids.len() > LAYERS_MAX {
            return Err(ImageError::invalid(format!(
                "max depth exceeded: an image may have {LAYERS_MAX} layers"
            )));
        }
        if !document.os.is_empty() && document.os != "linux" {
            return Err(ImageError::invalid(format!(
                "image operating system \"{}\" cannot be used on this platform: operating system is not supported",
                document.os
            )));
        }
        Ok(document)
    }
}

/// Layers of one image: what the kernel stacks in one overlay, less one for the container's own.
pub(crate) const LAYERS_MAX: usize = 127;

/// The bytes of an image's configuration: far beyond any real one, small enough to be held.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

/// Go writes absent lists, maps and texts as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Go writes empty lists and maps of images as `null`, and clients have come to expect it.
mod null_if_empty {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize + Default + PartialEq,
        S: Serializer,
    {
        if *value == T::default() { serializer.serialize_none() } else { value.serialize(serializer) }
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: Default + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        super::null_is_default(deserializer)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nulls_are_read_as_nothing() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"],"Env":null,"Labels":null,
            "Healthcheck":{"Test":["CMD","true"],"Interval":1000}},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let document = ImageDocument::parse(text.as_bytes()).unwrap();
        assert_eq!(document.config.cmd, ["sh"]);
        assert_eq!(document.config.healthcheck.as_ref().unwrap().interval, 1000);
        assert!(document.config.env.is_empty() && document.rootfs.diff_ids.is_empty());
    }

    #[test]
    fn emptiness_is_written_as_clients_expect_it() {
        let text = serde_json::to_string(&ImageConfig::default()).unwrap();
        let expected = r#"{"User":"","Env":[],"Entrypoint":null,"Cmd":null,"Volumes":null,"WorkingDir":"","Labels":null}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<ImageConfig>(&text).unwrap(), ImageConfig::default());
    }

    #[test]
    fn impossible_images_are_refused() {
        let many = format!(
            r#"{{"rootfs":{{"diff_ids":["{}"{}]}}}}"#,
            Digest::of(b""),
            format!(",\"{}\"", Digest::of(b"")).repeat(127)
        );
        for (text, part) in [
            ("", "invalid image configuration"),
            (r#"{"config":{"Env":7}}"#, "invalid image configuration"),
            (r#"{"rootfs":{"diff_ids":["sha256:1"]}}"#, "invalid digest"),
            (r#"{"os":"windows"}"#, "operating system is not supported"),
            (&many, "max depth exceeded"),
        ] {
            let message = ImageDocument::parse(text.as_bytes()).unwrap_err().message;
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ImageDocument::parse(&bytes);
        }
    }
}
