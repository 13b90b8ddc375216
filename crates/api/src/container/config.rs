//! What a container is like, wherever it runs.

use std::collections::BTreeMap;

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};
use crate::spec::container::HealthConfig;

/// What a container is like, wherever it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// Its host name.
    pub hostname: String,
    /// Its domain.
    pub domainname: String,
    /// As whom it runs.
    pub user: String,
    /// Whether its input comes from the client.
    pub attach_stdin: bool,
    /// Whether its output goes to the client.
    pub attach_stdout: bool,
    /// Whether its errors go to the client.
    pub attach_stderr: bool,
    /// Ports it listens on: `80/tcp`.
    #[serde(skip_serializing_if = "is_zero")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// With a terminal.
    pub tty: bool,
    /// Its standard input stays open.
    pub open_stdin: bool,
    /// Its standard input closes with the first client.
    pub stdin_once: bool,
    /// `NAME=value`, each.
    #[serde(serialize_with = "null_if_empty")]
    pub env: Vec<String>,
    /// The command, or the arguments of the entrypoint.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    /// How to see that it is well.
    #[serde(rename = "Healthcheck", skip_serializing_if = "is_zero")]
    pub healthcheck: Option<HealthConfig>,
    /// A word of Windows nodes.
    #[serde(skip_serializing_if = "is_zero")]
    pub args_escaped: bool,
    /// The image.
    pub image: String,
    /// Paths that shall be volumes.
    #[serde(serialize_with = "null_if_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the process starts.
    pub working_dir: String,
    /// The entrypoint.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    /// No network at all; a form that old clients write.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_disabled: bool,
    /// Its hardware address; a form that old clients write.
    #[serde(skip_serializing_if = "is_zero")]
    pub mac_address: String,
    /// What builds on it shall do.
    #[serde(serialize_with = "null_if_empty")]
    pub on_build: Vec<String>,
    /// Its labels.
    #[serde(serialize_with = "null_if_empty")]
    pub labels: Labels,
    /// Which signal asks it to stop.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_signal: String,
    /// How long it may take to stop, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_timeout: Option<i64>,
    /// The shell of `CMD-SHELL`.
    #[serde(skip_serializing_if = "is_zero")]
    pub shell: Vec<String>,
}

/// An object that says nothing, except by being there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Words may come as a list or, from old clients, as one text.
fn words<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Words;
    impl<'de> serde::de::Visitor<'de> for Words {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of strings")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![text.to_owned()]))
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element()? {
                words.push(word);
            }
            Ok(Some(words))
        }
    }
    source.deserialize_any(Words)
}
