//! Networks: as `/networks` shows them, and as tasks carry them.

use std::collections::BTreeMap;

use model::network as nouns;
use model::network::AddressFamily;
use model::{Driver, Labels};
use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};
use crate::meta::{DriverConfig, ObjectVersion};
use crate::time::Time;

/// One network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// `local`, `global` or `swarm`.
    pub scope: String,
    /// Which kind.
    pub driver: String,
    /// Whether it carries IPv4.
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: bool,
    /// Whether it carries IPv6.
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    /// Subnets.
    #[serde(rename = "IPAM")]
    pub ipam: Ipam,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether containers outside of services may join.
    pub attachable: bool,
    /// Whether this is the network of the routing mesh.
    pub ingress: bool,
    /// The network whose settings it takes over.
    pub config_from: ConfigReference,
    /// Whether it only lends its settings.
    pub config_only: bool,
    /// Containers of this node in it, by their ids.
    pub containers: Option<BTreeMap<String, EndpointResource>>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: Labels,
    /// Nodes that take part.
    #[serde(skip_serializing_if = "is_zero")]
    pub peers: Vec<PeerInfo>,
    /// Services in it, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub services: BTreeMap<String, ServiceInfo>,
}

/// Address management.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ipam {
    /// Which driver.
    pub driver: String,
    /// Options for it.
    #[serde(serialize_with = "null_if_empty")]
    pub options: BTreeMap<String, String>,
    /// One for each subnet.
    pub config: Vec<IpamConfig>,
}

/// One subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamConfig {
    /// In CIDR form.
    #[serde(skip_serializing_if = "is_zero")]
    pub subnet: String,
    /// The part to give addresses from.
    #[serde(rename = "IPRange", skip_serializing_if = "is_zero")]
    pub ip_range: String,
    /// The way out.
    #[serde(skip_serializing_if = "is_zero")]
    pub gateway: String,
    /// Addresses that are never given.
    #[serde(skip_serializing_if = "is_zero")]
    pub auxiliary_addresses: BTreeMap<String, String>,
}

/// A network whose settings another takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigReference {
    /// Its name.
    pub network: String,
}

/// A container's place in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointResource {
    /// The container's name.
    pub name: String,
    /// The endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Its hardware address.
    pub mac_address: String,
    /// In CIDR form.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// In CIDR form.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}

/// A node that takes part in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerInfo {
    /// Its name in the gossip.
    pub name: String,
    /// Where it is.
    #[serde(rename = "IP")]
    pub ip: String,
}

/// A service in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceInfo {
    /// Its address.
    #[serde(rename = "VIP")]
    pub vip: String,
    /// Its ports.
    #[serde(rename = "Ports")]
    pub ports: Vec<String>,
    /// Its mark on this node.
    #[serde(rename = "LocalLBIndex")]
    pub local_lb_index: i64,
    /// Its tasks.
    #[serde(rename = "Tasks")]
    pub tasks: Vec<ServiceTask>,
}

/// A task in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceTask {
    /// Its name.
    #[serde(rename = "Name")]
    pub name: String,
    /// Its endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Its address.
    #[serde(rename = "EndpointIP")]
    pub endpoint_ip: String,
    /// More about it.
    #[serde(rename = "Info")]
    pub info: BTreeMap<String, String>,
}

/// `POST /networks/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkCreate {
    /// Its name.
    pub name: String,
    /// Clients before 1.44 say whether they want a second of the same name refused; it always is.
    #[serde(skip_serializing_if = "is_zero")]
    pub check_duplicate: bool,
    /// Which kind; empty means `bridge`.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// `local` or `swarm`; empty means as the driver does.
    #[serde(skip_serializing_if = "is_zero")]
    pub scope: String,
    /// Whether it carries IPv4.
    #[serde(rename = "EnableIPv4", skip_serializing_if = "is_zero")]
    pub enable_ipv4: Option<bool>,
    /// Whether it carries IPv6.
    #[serde(rename = "EnableIPv6", skip_serializing_if = "is_zero")]
    pub enable_ipv6: Option<bool>,
    /// Subnets.
    #[serde(rename = "IPAM", skip_serializing_if = "is_zero")]
    pub ipam: Option<Ipam>,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether containers outside of services may join.
    pub attachable: bool,
    /// Whether this is the network of the routing mesh.
    pub ingress: bool,
    /// Whether it only lends its settings.
    pub config_only: bool,
    /// The network whose settings it takes over.
    #[serde(skip_serializing_if = "is_zero")]
    pub config_from: Option<ConfigReference>,
    /// Options of the driver.
    #[serde(serialize_with = "null_if_empty")]
    pub options: BTreeMap<String, String>,
    /// Its labels.
    #[serde(serialize_with = "null_if_empty")]
    pub labels: Labels,
}

/// The answer to the creation of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkCreated {
    /// Its id.
    pub id: String,
    /// What the user should know.
    pub warning: String,
}

/// `POST /networks/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworksPruned {
    /// The names of those that are gone.
    #[serde(serialize_with = "null_if_empty")]
    pub networks_deleted: Vec<String>,
}

/// `POST /networks/{id}/connect` and `/disconnect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkConnect {
    /// The container.
    pub container: String,
    /// To leave although it runs.
    pub force: bool,
}

/// Somebody's place in a network of the swarm, as tasks carry it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkAttachment {
    /// The network, as it was when the addresses were given.
    pub network: SwarmNetwork,
    /// In CIDR form.
    #[serde(skip_serializing_if = "is_zero")]
    pub addresses: Vec<String>,
}

/// A network of the swarm, as tasks carry it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmNetwork {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Changes with every update.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
    /// What is wished.
    pub spec: SwarmNetworkSpec,
    /// What the driver needs to know on every node.
    pub driver_state: DriverConfig,
    /// Subnets as allocated.
    #[serde(rename = "IPAMOptions", skip_serializing_if = "is_zero")]
    pub ipam_options: Option<IpamOptions>,
}

/// What a user wishes of a network of the swarm, as tasks carry it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmNetworkSpec {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Which kind.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_configuration: Option<DriverConfig>,
    /// Whether it carries IPv6.
    #[serde(rename = "IPv6Enabled", skip_serializing_if = "is_zero")]
    pub ipv6_enabled: bool,
    /// Whether it has no way out.
    #[serde(skip_serializing_if = "is_zero")]
    pub internal: bool,
    /// Whether containers outside of services may join.
    #[serde(skip_serializing_if = "is_zero")]
    pub attachable: bool,
    /// Whether this is the network of the routing mesh.
    #[serde(skip_serializing_if = "is_zero")]
    pub ingress: bool,
    /// Subnets as wished.
    #[serde(rename = "IPAMOptions", skip_serializing_if = "is_zero")]
    pub ipam_options: Option<IpamOptions>,
    /// The network whose settings it takes over.
    #[serde(skip_serializing_if = "is_zero")]
    pub config_from: Option<ConfigReference>,
    /// Always `swarm`.
    #[serde(skip_serializing_if = "is_zero")]
    pub scope: String,
}

/// Address management, as tasks carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamOptions {
    /// Which driver.
    pub driver: DriverConfig,
    /// One for each subnet.
    #[serde(skip_serializing_if = "is_zero")]
    pub configs: Vec<IpamOption>,
}

/// One subnet, as tasks carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamOption {
    /// In CIDR form.
    #[serde(skip_serializing_if = "is_zero")]
    pub subnet: String,
    /// The part to give addresses from.
    #[serde(skip_serializing_if = "is_zero")]
    pub range: String,
    /// The way out.
    #[serde(skip_serializing_if = "is_zero")]
    pub gateway: String,
}

impl NetworkCreate {
    /// The model's network of the swarm. Reserved addresses do not travel: managers have never been told of them.
    pub fn into_model(self) -> nouns::NetworkSpec {
        let Self {
            name,
            check_duplicate: _,
            driver,
            scope: _,
            enable_ipv4: _,
            enable_ipv6,
            ipam,
            internal,
            attachable,
            ingress,
            config_only: _,
            config_from,
            options,
            labels,
        } = self;
        nouns::NetworkSpec {
            annotations: crate::meta::annotations(name, labels),
            driver_config: Some(Driver { name: driver, options }),
            ipv6_enabled: enable_ipv6.unwrap_or(false),
            internal,
            ipam: ipam.map(Ipam::into_model),
            attachable,
            ingress,
            config_from: config_from
                .map(|ConfigReference { network }| network)
                .filter(|name| !name.is_empty()),
        }
    }
}

impl Ipam {
    fn into_model(self) -> nouns::IpamOptions {
        let Self { driver, options, config } = self;
        let name = if driver.is_empty() { "default".to_owned() } else { driver };
        let subnet = |IpamConfig { subnet, ip_range, gateway, auxiliary_addresses: _ }| nouns::IpamConfig {
            family: AddressFamily::Unknown,
            subnet,
            range: ip_range,
            gateway,
            reserved: BTreeMap::new(),
        };
        nouns::IpamOptions {
            driver: Some(Driver { name, options }),
            configs: config.into_iter().map(subnet).collect(),
        }
    }
}

impl From<&nouns::Network> for Network {
    /// A network of the swarm as `/networks` shows it; who is in it only its nodes know.
    fn from(network: &nouns::Network) -> Self {
        let nouns::Network { id, meta, spec, driver_state, ipam, pending_delete: _, extra: _ } = network;
        let nouns::NetworkSpec {
            annotations,
            driver_config: _,
            ipv6_enabled,
            internal,
            ipam: _,
            attachable,
            ingress: _,
            config_from,
        } = spec;
        let local = annotations.labels.contains_key(nouns::PREDEFINED_LABEL) && network.is_node_local();
        Self {
            name: annotations.name.clone(),
            id: id.to_string(),
            created: meta.created_at.into(),
            scope: if local { "local" } else { "swarm" }.to_owned(),
            driver: network.driver().to_owned(),
            enable_ipv4: true,
            enable_ipv6: *ipv6_enabled,
            ipam: ipam.as_ref().map(Ipam::from).unwrap_or_default(),
            internal: *internal,
            attachable: *attachable,
            ingress: network.is_ingress(),
            config_from: ConfigReference { network: config_from.clone().unwrap_or_default() },
            config_only: false,
            containers: None,
            options: driver_state.as_ref().map(|driver| driver.options.clone()).unwrap_or_default(),
            labels: annotations.labels.clone(),
            peers: Vec::new(),
            services: BTreeMap::new(),
        }
    }
}

impl From<&nouns::IpamOptions> for Ipam {
    fn from(nouns::IpamOptions { driver, configs }: &nouns::IpamOptions) -> Self {
        let Driver { name, options } = driver.clone().unwrap_or_default();
        let config = |config: &nouns::IpamConfig| {
            let nouns::IpamConfig { family: _, subnet, range, gateway, reserved } = config.clone();
            IpamConfig { subnet, ip_range: range, gateway, auxiliary_addresses: reserved }
        };
        Self {
            driver: if name.is_empty() { "default".to_owned() } else { name },
            options,
            config: configs.iter().map(config).collect(),
        }
    }
}

impl From<&nouns::NetworkAttachment> for NetworkAttachment {
    fn from(attachment: &nouns::NetworkAttachment) -> Self {
        let nouns::NetworkAttachment { network, addresses, aliases: _, driver_attachment_opts: _ } =
            attachment;
        Self { network: SwarmNetwork::from(network), addresses: addresses.clone() }
    }
}

impl From<&nouns::Network> for SwarmNetwork {
    fn from(network: &nouns::Network) -> Self {
        let nouns::Network { id, meta, spec, driver_state, ipam, pending_delete: _, extra: _ } = network;
        Self {
            id: id.to_string(),
            version: meta.version.into(),
            created_at: meta.created_at.into(),
            updated_at: meta.updated_at.into(),
            spec: SwarmNetworkSpec::from(spec),
            driver_state: driver_state.as_ref().map(DriverConfig::from).unwrap_or_default(),
            ipam_options: ipam.as_ref().map(IpamOptions::from),
        }
    }
}

impl From<&nouns::NetworkSpec> for SwarmNetworkSpec {
    fn from(spec: &nouns::NetworkSpec) -> Self {
        let nouns::NetworkSpec {
            annotations,
            driver_config,
            ipv6_enabled,
            internal,
            ipam,
            attachable,
            ingress,
            config_from,
        } = spec;
        Self {
            name: annotations.name.clone(),
            labels: annotations.labels.clone(),
            driver_configuration: driver_config.as_ref().map(DriverConfig::from),
            ipv6_enabled: *ipv6_enabled,
            internal: *internal,
            attachable: *attachable,
            ingress: *ingress,
            ipam_options: ipam.as_ref().map(IpamOptions::from),
            config_from: config_from.clone().map(|network| ConfigReference { network }),
            scope: "swarm".to_owned(),
        }
    }
}

impl From<&nouns::IpamOptions> for IpamOptions {
    fn from(nouns::IpamOptions { driver, configs }: &nouns::IpamOptions) -> Self {
        let config = |config: &nouns::IpamConfig| {
            let nouns::IpamConfig { family: _, subnet, range, gateway, reserved: _ } = config.clone();
            IpamOption { subnet, range, gateway }
        };
        Self {
            driver: driver.as_ref().map(DriverConfig::from).unwrap_or_default(),
            configs: configs.iter().map(config).collect(),
        }
    }
}
