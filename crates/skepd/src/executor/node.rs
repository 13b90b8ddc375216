//! What this node is and has, as the managers are told.

use model::node::{EngineDescription, NodeDescription, NodeTlsInfo, PluginDescription};
use model::spec::resources::{Platform, Resources};

use crate::config::Config;
use crate::machine::Machine;

/// What the managers are told of this node.
pub(crate) fn describe(machine: &Machine, config: &Config, tls_info: Option<NodeTlsInfo>) -> NodeDescription {
    let plugin =
        |(kind, name): (&str, &str)| PluginDescription { kind: kind.to_owned(), name: name.to_owned() };
    NodeDescription {
        hostname: machine.hostname.clone(),
        platform: Some(Platform { architecture: machine.architecture.clone(), os: "linux".to_owned() }),
        resources: Some(Resources {
            nano_cpus: i64::try_from(machine.processors).unwrap_or(i64::MAX).saturating_mul(1_000_000_000),
            memory_bytes: machine.memory,
            generic: config.generic_resources.clone(),
        }),
        engine: Some(EngineDescription {
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: config.labels.clone(),
            plugins: PLUGINS.map(plugin).to_vec(),
        }),
        tls_info,
        fips: false,
        csi_info: Vec::new(),
    }
}

/// The drivers of this engine, by kind and name.
const PLUGINS: [(&str, &str); 8] = [
    ("Log", "json-file"),
    ("Log", "local"),
    ("Log", "none"),
    ("Network", "bridge"),
    ("Network", "host"),
    ("Network", "null"),
    ("Network", "overlay"),
    ("Volume", "local"),
];
