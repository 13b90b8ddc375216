//! How a service is reached.

use std::collections::BTreeMap;

use model::spec::endpoint as spec;
use model::spec::endpoint::{Protocol, PublishMode, ResolutionMode};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;

/// How a service is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSpec {
    /// `vip` or `dnsrr`.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: String,
    /// Its ports.
    #[serde(skip_serializing_if = "is_zero")]
    pub ports: Vec<PortConfig>,
}

/// One port of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortConfig {
    /// For people.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// `tcp`, `udp` or `sctp`.
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol: String,
    /// The port in the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub target_port: u32,
    /// The port on the nodes.
    #[serde(skip_serializing_if = "is_zero")]
    pub published_port: u32,
    /// `ingress` or `host`.
    #[serde(skip_serializing_if = "is_zero")]
    pub publish_mode: String,
}

/// A network that tasks shall join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkAttachmentConfig {
    /// The network's id or name.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// More names within the network.
    #[serde(skip_serializing_if = "is_zero")]
    pub aliases: Vec<String>,
    /// Options for the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
}

impl EndpointSpec {
    /// The model's wish.
    pub fn into_model(self) -> Result<spec::EndpointSpec, ApiError> {
        let Self { mode, ports } = self;
        let mode = match mode.to_ascii_lowercase().as_str() {
            "" | "vip" => ResolutionMode::Vip,
            "dnsrr" => ResolutionMode::DnsRoundRobin,
            _ => return Err(ApiError::invalid(format!("invalid resolution mode: \"{mode}\""))),
        };
        let ports = ports.into_iter().map(PortConfig::into_model).collect::<Result<_, _>>()?;
        Ok(spec::EndpointSpec { mode, ports })
    }
}

impl From<&spec::EndpointSpec> for EndpointSpec {
    fn from(spec::EndpointSpec { mode, ports }: &spec::EndpointSpec) -> Self {
        let mode = match mode {
            ResolutionMode::Vip => "vip",
            ResolutionMode::DnsRoundRobin => "dnsrr",
        };
        Self { mode: mode.to_owned(), ports: ports.iter().map(PortConfig::from).collect() }
    }
}

impl PortConfig {
    fn into_model(self) -> Result<spec::PortConfig, ApiError> {
        let Self { name, protocol, target_port, published_port, publish_mode } = self;
        for (field, port) in [("TargetPort", target_port), ("PublishedPort", published_port)] {
            if port > 65_535 {
                let message = format!("EndpointSpec.Ports: {field} {port} is beyond 65535");
                return Err(ApiError::invalid(message));
            }
        }
        Ok(spec::PortConfig {
            name,
            // Unknown words mean the first of the kind: clients have always got away with them.
            protocol: match protocol.to_ascii_lowercase().as_str() {
                "udp" => Protocol::Udp,
                "sctp" => Protocol::Sctp,
                _ => Protocol::Tcp,
            },
            target_port,
            published_port,
            publish_mode: match publish_mode.to_ascii_lowercase().as_str() {
                "host" => PublishMode::Host,
                _ => PublishMode::Ingress,
            },
        })
    }
}

impl From<&spec::PortConfig> for PortConfig {
    fn from(port: &spec::PortConfig) -> Self {
        let spec::PortConfig { name, protocol, target_port, published_port, publish_mode } = port;
        let protocol = match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        let publish_mode = match publish_mode {
            PublishMode::Ingress => "ingress",
            PublishMode::Host => "host",
        };
        Self {
            name: name.clone(),
            protocol: protocol.to_owned(),
            target_port: *target_port,
            published_port: *published_port,
            publish_mode: publish_mode.to_owned(),
        }
    }
}

impl NetworkAttachmentConfig {
    /// The model's wish; addresses are no wish of this API.
    pub fn into_model(self) -> spec::NetworkAttachmentConfig {
        let Self { target, aliases, driver_opts } = self;
        spec::NetworkAttachmentConfig {
            target,
            aliases,
            addresses: Vec::new(),
            driver_attachment_opts: driver_opts,
        }
    }
}

impl From<&spec::NetworkAttachmentConfig> for NetworkAttachmentConfig {
    fn from(wish: &spec::NetworkAttachmentConfig) -> Self {
        let spec::NetworkAttachmentConfig { target, aliases, addresses: _, driver_attachment_opts } = wish;
        Self { target: target.clone(), aliases: aliases.clone(), driver_opts: driver_attachment_opts.clone() }
    }
}
