//! The types of a compose file. What may be written in two ways is read into one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// A word of the past.
    #[serde(rename = "version")]
    _version: Value,
    /// The name of the stack, which the command line says anyway.
    #[serde(rename = "name")]
    _name: Option<String>,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) networks: BTreeMap<String, Option<Network>>,
    pub(crate) volumes: BTreeMap<String, Option<Volume>>,
    pub(crate) secrets: BTreeMap<String, Payload>,
    pub(crate) configs: BTreeMap<String, Payload>,
}

/// What services of a swarm cannot have, though the format has words for it.
const UNSUPPORTED: [&str; 19] = [
    "blkio_config",
    "build",
    "cgroup_parent",
    "cgroupns_mode",
    "devices",
    "domainname",
    "external_links",
    "ipc",
    "links",
    "mac_address",
    "mem_limit",
    "network_mode",
    "pid",
    "platform",
    "privileged",
    "restart",
    "security_opt",
    "shm_size",
    "userns_mode",
];
/// What has no meaning here and never will; nobody needs to be told.
const MEANINGLESS: [&str; 4] = ["depends_on", "expose", "container_name", "profiles"];

/// Takes away what will not be heeded, and returns the names of what a person should be told of.
pub(super) fn take_ignored(tree: &mut Value) -> Vec<String> {
    let mut told = Vec::new();
    let Some(root) = tree.as_object_mut() else { return told };
    root.retain(|key, _| !key.starts_with("x-"));
    let services = root.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(|services| services.values_mut()) {
        let Some(service) = service.as_object_mut() else { continue };
        service.retain(|key, _| {
            let is_unsupported = UNSUPPORTED.contains(&key.as_str());
            if is_unsupported && !told.contains(key) {
                told.push(key.clone());
            }
            !is_unsupported && !MEANINGLESS.contains(&key.as_str()) && !key.starts_with("x-")
        });
    }
    told.sort();
    told
}

/// One service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Service {
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) command: Words,
    pub(crate) configs: Vec<FileUse>,
    pub(crate) deploy: Deploy,
    pub(crate) dns: OneOrMany,
    pub(crate) dns_search: OneOrMany,
    pub(crate) entrypoint: Words,
    pub(crate) env_file: OneOrMany,
    pub(crate) environment: Pairs,
    pub(crate) extra_hosts: Hosts,
    pub(crate) healthcheck: Option<Healthcheck>,
    pub(crate) hostname: String,
    pub(crate) image: String,
    pub(crate) init: Option<bool>,
    pub(crate) isolation: String,
    pub(crate) labels: Pairs,
    pub(crate) logging: Option<Logging>,
    pub(crate) networks: Networks,
    pub(crate) oom_score_adj: i64,
    pub(crate) ports: Vec<Port>,
    pub(crate) read_only: bool,
    pub(crate) secrets: Vec<FileUse>,
    pub(crate) stdin_open: bool,
    pub(crate) stop_grace_period: Option<String>,
    pub(crate) stop_signal: String,
    pub(crate) sysctls: Pairs,
    pub(crate) tmpfs: OneOrMany,
    pub(crate) tty: bool,
    pub(crate) ulimits: BTreeMap<String, Ulimit>,
    pub(crate) user: Scalar,
    pub(crate) volumes: Vec<Mount>,
    pub(crate) working_dir: String,
}

/// How a service is run in a swarm.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Deploy {
    pub(crate) endpoint_mode: String,
    pub(crate) labels: Pairs,
    pub(crate) mode: String,
    pub(crate) placement: Placement,
    pub(crate) replicas: Option<u64>,
    pub(crate) resources: Resources,
    pub(crate) restart_policy: Option<RestartPolicy>,
    pub(crate) rollback_config: Option<Pace>,
    pub(crate) update_config: Option<Pace>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Placement {
    pub(crate) constraints: Vec<String>,
    pub(crate) max_replicas_per_node: u64,
    pub(crate) preferences: Vec<Preference>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Preference {
    pub(crate) spread: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resources {
    pub(crate) limits: Option<Amount>,
    pub(crate) reservations: Option<Amount>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Amount {
    pub(crate) cpus: Scalar,
    pub(crate) generic_resources: Vec<GenericResource>,
    pub(crate) memory: Scalar,
    pub(crate) pids: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GenericResource {
    pub(crate) discrete_resource_spec: DiscreteResource,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DiscreteResource {
    pub(crate) kind: String,
    pub(crate) value: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RestartPolicy {
    pub(crate) condition: String,
    pub(crate) delay: Option<String>,
    pub(crate) max_attempts: Option<u64>,
    pub(crate) window: Option<String>,
}

/// How a service goes to a new spec, or back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pace {
    pub(crate) delay: Option<String>,
    pub(crate) failure_action: String,
    pub(crate) max_failure_ratio: f32,
    pub(crate) monitor: Option<String>,
    pub(crate) order: String,
    pub(crate) parallelism: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Healthcheck {
    pub(crate) disable: bool,
    pub(crate) interval: Option<String>,
    pub(crate) retries: i32,
    pub(crate) start_interval: Option<String>,
    pub(crate) start_period: Option<String>,
    pub(crate) test: Test,
    pub(crate) timeout: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Logging {
    pub(crate) driver: String,
    pub(crate) options: BTreeMap<String, Scalar>,
}

/// A secret or config in a service: its name, or more.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileUse {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) uid: String,
    pub(crate) gid: String,
    pub(crate) mode: Option<u32>,
}

/// A port, short or long.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Port {
    Number(u16),
    Word(String),
    Long(LongPort),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LongPort {
    pub(crate) mode: String,
    pub(crate) protocol: String,
    pub(crate) published: Scalar,
    pub(crate) target: u16,
}

/// A mount, short or long.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Mount {
    Word(String),
    Long(LongMount),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LongMount {
    pub(crate) bind: Option<BindOptions>,
    pub(crate) consistency: String,
    pub(crate) read_only: bool,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) tmpfs: Option<TmpfsOptions>,
    pub(crate) r#type: String,
    pub(crate) volume: Option<VolumeOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BindOptions {
    pub(crate) create_host_path: bool,
    pub(crate) propagation: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TmpfsOptions {
    pub(crate) size: Scalar,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VolumeOptions {
    pub(crate) nocopy: bool,
    pub(crate) subpath: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Network {
    pub(crate) attachable: bool,
    pub(crate) driver: String,
    pub(crate) driver_opts: BTreeMap<String, Scalar>,
    pub(crate) external: External,
    pub(crate) internal: bool,
    pub(crate) ipam: Ipam,
    pub(crate) labels: Pairs,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ipam {
    pub(crate) config: Vec<Subnet>,
    pub(crate) driver: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Subnet {
    pub(crate) subnet: String,
    pub(crate) gateway: String,
    pub(crate) ip_range: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Volume {
    pub(crate) driver: String,
    pub(crate) driver_opts: BTreeMap<String, Scalar>,
    pub(crate) external: External,
    pub(crate) labels: Pairs,
    pub(crate) name: String,
}

/// A secret or config of the stack.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payload {
    pub(crate) driver: String,
    pub(crate) driver_opts: BTreeMap<String, Scalar>,
    pub(crate) external: External,
    pub(crate) file: String,
    pub(crate) labels: Pairs,
    pub(crate) name: String,
    pub(crate) template_driver: String,
}

/// Whether something was made by somebody else, and what it is called there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) is_external: bool,
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ulimit {
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

/// A text, though a number or a truth may be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scalar(pub(crate) String);

/// Words of a command line: as a list, or as one text that is parted at blanks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

/// The words of a check: a list, or a text for the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Test(pub(crate) Vec<String>);

/// One text, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

/// `KEY=VALUE` as a list or as a map; a key without a value has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs(pub(crate) BTreeMap<String, Option<String>>);

/// `name:address` as a list or as a map, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(pub(crate) Vec<String>);

/// Networks of a service with the names that it has there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) BTreeMap<String, Vec<String>>);

/// What can be written in several ways, once it is read.
enum Loose {
    Nothing,
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Loose {
    fn text(value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn texts(list: &[Value]) -> Vec<String> {
        list.iter().map(Self::text).collect()
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a list or a map")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Loose, E> {
                Ok(Loose::Nothing)
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Loose, E> {
                Ok(Loose::Text(value.to_string()))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Loose, E> {
                Ok(Loose::Text(value.to_string()))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Loose, E> {
                Ok(Loose::Text(value.to_string()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Loose, E> {
                Ok(Loose::Text(value.to_string()))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Loose, E> {
                Ok(Loose::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(Loose::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Loose::Map(all))
            }
        }
        source.deserialize_any(Read)
    }
}

/// Reads a type out of what can be written in several ways.
macro_rules! loosely {
    ($type:ty, $($form:pat => $made:expr,)*) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                Ok(match Loose::deserialize(source)? {
                    $($form => $made,)*
                    #[allow(unreachable_patterns, reason = "some types take every form")]
                    _ => return Err(D::Error::custom("has a form that is not expected here")),
                })
            }
        }
    };
}

loosely!(Scalar, Loose::Nothing => Self::default(), Loose::Text(text) => Self(text),);
loosely!(Words,
    Loose::Nothing => Self::default(),
    Loose::Text(text) => Self(crate::options::values::words(&text).map_err(D::Error::custom)?),
    Loose::List(list) => Self(Loose::texts(&list)),
);
loosely!(Test,
    Loose::Nothing => Self::default(),
    Loose::Text(text) => Self(vec!["CMD-SHELL".to_owned(), text]),
    Loose::List(list) => Self(Loose::texts(&list)),
);
loosely!(OneOrMany,
    Loose::Nothing => Self::default(),
    Loose::Text(text) => Self(vec![text]),
    Loose::List(list) => Self(Loose::texts(&list)),
);
loosely!(Pairs,
    Loose::Nothing => Self::default(),
    Loose::List(list) => Self(Loose::texts(&list).into_iter().map(|word| match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (word, None),
    }).collect()),
    Loose::Map(map) => Self(map.into_iter().map(|(key, value)| {
        let value = if value.is_null() { None } else { Some(Loose::text(&value)) };
        (key, value)
    }).collect()),
);
loosely!(Hosts,
    Loose::Nothing => Self::default(),
    Loose::List(list) => Self(Loose::texts(&list)),
    Loose::Map(map) => Self(map.into_iter().map(|(name, address)| format!("{name}:{}", Loose::text(&address))).collect()),
);
loosely!(Networks,
    Loose::Nothing => Self::default(),
    Loose::List(list) => Self(Loose::texts(&list).into_iter().map(|name| (name, Vec::new())).collect()),
    Loose::Map(map) => Self(map.into_iter().map(|(name, place)| {
        let aliases = place.get("aliases").and_then(Value::as_array).map(|list| Loose::texts(list));
        (name, aliases.unwrap_or_default())
    }).collect()),
);
loosely!(External,
    Loose::Nothing => Self::default(),
    Loose::Text(text) => Self { is_external: text == "true", name: String::new() },
    Loose::Map(map) => Self {
        is_external: true,
        name: map.iter().find(|(key, _)| key == "name").map(|(_, name)| Loose::text(name)).unwrap_or_default(),
    },
);
loosely!(Ulimit,
    Loose::Text(text) => {
        let both = text.parse().map_err(|_| D::Error::custom("must be a number, or soft and hard"))?;
        Self { soft: both, hard: both }
    },
    Loose::Map(map) => {
        let number = |name: &str| map.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_i64());
        let missing = || D::Error::custom("must have soft and hard");
        Self { soft: number("soft").ok_or_else(missing)?, hard: number("hard").ok_or_else(missing)? }
    },
);
loosely!(FileUse,
    Loose::Text(source) => Self { source, ..Self::default() },
    Loose::Map(map) => {
        let mut file = Self::default();
        for (key, value) in map {
            match key.as_str() {
                "source" => file.source = Loose::text(&value),
                "target" => file.target = Loose::text(&value),
                "uid" => file.uid = Loose::text(&value),
                "gid" => file.gid = Loose::text(&value),
                "mode" => file.mode = value.as_u64().and_then(|mode| u32::try_from(mode).ok()),
                _ => return Err(D::Error::custom(format!("Additional property {key} is not allowed"))),
            }
        }
        file
    },
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_of_writing_mean_the_same() {
        let one = |text: &str| serde_json::from_str::<Pairs>(text).unwrap();
        assert_eq!(one(r#"["A=1","B"]"#), one(r#"{"A":1,"B":null}"#));
        let networks = |text: &str| serde_json::from_str::<Networks>(text).unwrap();
        assert_eq!(networks(r#"["n"]"#), networks(r#"{"n":null}"#));
        assert_eq!(networks(r#"{"n":{"aliases":["a"]}}"#).0["n"], ["a"]);
        let words = |text: &str| serde_json::from_str::<Words>(text).unwrap().0;
        assert_eq!(words(r#""sh -c 'a b'""#), words(r#"["sh","-c","a b"]"#));
        assert_eq!(serde_json::from_str::<Test>(r#""true""#).unwrap().0, ["CMD-SHELL", "true"]);
        let external = |text: &str| serde_json::from_str::<External>(text).unwrap();
        assert_eq!(external(r#"{"name":"x"}"#), External { is_external: true, name: "x".to_owned() });
        assert!(!external("false").is_external);
        let Ulimit { soft, hard } = serde_json::from_str(r#"{"soft":1,"hard":2}"#).unwrap();
        assert_eq!((soft, hard), (1, 2));
        assert_eq!(serde_json::from_str::<FileUse>(r#""key""#).unwrap().source, "key");
    }
}
