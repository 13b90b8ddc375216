//! A container's place in its networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host_config::PortMap;
use crate::json::{is_zero, null_if_empty};

/// The networks of a container. Fields beside `Networks` show the default bridge, for old clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// A word of the past.
    pub bridge: String,
    /// The sandbox.
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    /// Its namespace on the host.
    pub sandbox_key: String,
    /// Its ports.
    pub ports: PortMap,
    /// A word of the past.
    pub hairpin_mode: bool,
    /// A word of the past.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    /// A word of the past.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: u32,
    /// The endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// The way out.
    pub gateway: String,
    /// IPv6.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// IPv6.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u32,
    /// IPv4.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// IPv4.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u32,
    /// IPv6.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// Always absent.
    #[serde(rename = "SecondaryIPAddresses")]
    pub secondary_ip_addresses: Option<Vec<String>>,
    /// Always absent.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub secondary_ipv6_addresses: Option<Vec<String>>,
    /// The hardware address.
    pub mac_address: String,
    /// By name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// A container's place in a network: wished, or as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSettings {
    /// Wished addresses.
    #[serde(rename = "IPAMConfig")]
    pub ipam_config: Option<EndpointIpam>,
    /// A word of the past.
    #[serde(serialize_with = "null_if_empty")]
    pub links: Vec<String>,
    /// More names within the network.
    #[serde(serialize_with = "null_if_empty")]
    pub aliases: Vec<String>,
    /// The hardware address.
    pub mac_address: String,
    /// Options for the driver.
    #[serde(serialize_with = "null_if_empty")]
    pub driver_opts: BTreeMap<String, String>,
    /// The network.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// The endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// The way out.
    pub gateway: String,
    /// IPv4.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// IPv4.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u32,
    /// IPv6.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// IPv6.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// IPv6.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u32,
    /// Names within the network.
    #[serde(rename = "DNSNames", serialize_with = "null_if_empty")]
    pub dns_names: Vec<String>,
}

/// Wished addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointIpam {
    /// IPv4.
    #[serde(rename = "IPv4Address", skip_serializing_if = "is_zero")]
    pub ipv4_address: String,
    /// IPv6.
    #[serde(rename = "IPv6Address", skip_serializing_if = "is_zero")]
    pub ipv6_address: String,
}
