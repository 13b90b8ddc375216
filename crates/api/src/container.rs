//! Containers of one node.

use std::collections::BTreeMap;

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::host_config::{HostConfig, PortMap};
use crate::json::{is_zero, null_if_empty};
use crate::spec::container::HealthConfig;
use crate::time::Time;

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

/// `POST /containers/create`: a [`ContainerConfig`] with two more fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerCreate {
    /// What it is like.
    pub config: ContainerConfig,
    /// How it is run here.
    pub host_config: HostConfig,
    /// Its networks.
    pub networking_config: NetworkingConfig,
}

/// The two fields beside the config.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Beside {
    host_config: HostConfig,
    networking_config: NetworkingConfig,
}

impl ContainerCreate {
    /// Reads the body of the request: the same text twice, since the fields lie side by side.
    pub fn read(text: &[u8]) -> Result<Self, crate::Malformed> {
        let Beside { host_config, networking_config } = crate::read(text)?;
        Ok(Self { config: crate::read(text)?, host_config, networking_config })
    }
}

impl Serialize for ContainerCreate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Flat<'a> {
            #[serde(flatten)]
            config: &'a ContainerConfig,
            host_config: &'a HostConfig,
            networking_config: &'a NetworkingConfig,
        }
        let Self { config, host_config, networking_config } = self;
        Flat { config, host_config, networking_config }.serialize(to)
    }
}

/// Networks of a new container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkingConfig {
    /// By name or id.
    pub endpoints_config: BTreeMap<String, EndpointSettings>,
}

/// The answer to the creation of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerCreated {
    /// Its id.
    pub id: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// One line of `GET /containers/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// Its id.
    pub id: String,
    /// Its names, each with a slash before it.
    pub names: Vec<String>,
    /// The image as it was named.
    pub image: String,
    /// The image.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// The command in one line.
    pub command: String,
    /// When it was made, in seconds.
    pub created: i64,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Bytes written, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_rw: Option<i64>,
    /// Bytes in all, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_root_fs: Option<i64>,
    /// Its labels.
    pub labels: Labels,
    /// `created`, `running`, `paused`, `restarting`, `exited` or `dead`.
    pub state: String,
    /// In words: `Up 5 minutes (healthy)`.
    pub status: String,
    /// How it is run here.
    pub host_config: SummaryHostConfig,
    /// Its networks.
    pub network_settings: SummaryNetworkSettings,
    /// What it sees of the host.
    pub mounts: Vec<MountPoint>,
}

/// How a container is run, in one word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// The kind of its network.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_mode: String,
}

/// The networks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworkSettings {
    /// By name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// A port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Port {
    /// The address on the host.
    #[serde(rename = "IP", skip_serializing_if = "is_zero")]
    pub ip: String,
    /// The port in the container.
    pub private_port: u16,
    /// The port on the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub public_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub r#type: String,
}

/// One mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(skip_serializing_if = "is_zero")]
    pub r#type: String,
    /// The name of the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path in the container.
    pub destination: String,
    /// Who holds the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options in words.
    pub mode: String,
    /// Whether it can be written.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// What becomes of mounts beneath it.
    pub propagation: String,
}

/// `GET /containers/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How it is.
    pub state: ContainerState,
    /// The image.
    pub image: String,
    /// Its resolv.conf on the host.
    pub resolv_conf_path: String,
    /// Its hostname file on the host.
    pub hostname_path: String,
    /// Its hosts file on the host.
    pub hosts_path: String,
    /// Its log on the host.
    pub log_path: String,
    /// Its name, with a slash before it.
    pub name: String,
    /// How often it was started again.
    pub restart_count: i64,
    /// How layers are stacked.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// Its SELinux label.
    pub mount_label: String,
    /// Its SELinux label.
    pub process_label: String,
    /// Its AppArmor profile.
    pub app_armor_profile: String,
    /// Execs that run.
    #[serde(rename = "ExecIDs", serialize_with = "null_if_empty")]
    pub exec_ids: Vec<String>,
    /// How it is run here.
    pub host_config: HostConfig,
    /// Where its layers are.
    pub graph_driver: GraphDriver,
    /// Bytes written, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_rw: Option<i64>,
    /// Bytes in all, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub size_root_fs: Option<i64>,
    /// What it sees of the host.
    pub mounts: Vec<MountPoint>,
    /// What it is like.
    pub config: ContainerConfig,
    /// Its networks.
    pub network_settings: NetworkSettings,
}

/// How a container is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// In one word.
    pub status: String,
    /// It runs, perhaps frozen.
    pub running: bool,
    /// It is frozen.
    pub paused: bool,
    /// It will be started again.
    pub restarting: bool,
    /// Memory ran out.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// It can only be removed.
    pub dead: bool,
    /// The process, 0 if there is none.
    pub pid: i64,
    /// How it ended.
    pub exit_code: i64,
    /// Why it could not start.
    pub error: String,
    /// When it started last.
    pub started_at: Time,
    /// When it ended last.
    pub finished_at: Time,
    /// How well it is.
    #[serde(skip_serializing_if = "is_zero")]
    pub health: Option<Health>,
}

/// How well a container is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The latest tests.
    pub log: Vec<HealthResult>,
}

/// One test of a container's health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthResult {
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// 0 is well, 1 is not.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// Where layers are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// Folders by their use.
    #[serde(serialize_with = "null_if_empty")]
    pub data: BTreeMap<String, String>,
    /// How they are stacked.
    pub name: String,
}

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

/// `POST /containers/{id}/wait`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitResponse {
    /// How it ended.
    pub status_code: i64,
    /// What went wrong.
    #[serde(skip_serializing_if = "is_zero")]
    pub error: Option<WaitError>,
}

/// What went wrong while waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// In a sentence.
    pub message: String,
}

/// `POST /containers/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainersPruned {
    /// The ids of those that are gone.
    #[serde(serialize_with = "null_if_empty")]
    pub containers_deleted: Vec<String>,
    /// In bytes.
    pub space_reclaimed: u64,
}

/// `POST /containers/{id}/update`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerUpdated {
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}

/// What is at a path in a container, as the header `X-Docker-Container-Path-Stat` holds it in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathStat {
    /// The last part of the path.
    pub name: String,
    /// In bytes.
    pub size: i64,
    /// Kind and permissions, in Go's numbers: see [`go_mode`].
    pub mode: u32,
    /// When its contents changed last.
    pub mtime: Time,
    /// Where it leads to, if it is a link.
    pub link_target: String,
}

/// The kernel's kind and permissions in the numbers of Go's `os.FileMode`, which clients expect.
pub fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,           // a folder
        0o120_000 => 1 << 27,           // a link
        0o060_000 => 1 << 26,           // a block device
        0o020_000 => 1 << 26 | 1 << 21, // a character device
        0o010_000 => 1 << 25,           // a named pipe
        0o140_000 => 1 << 24,           // a socket
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.into_iter().filter(|(bit, _)| mode & bit != 0).map(|(_, go)| go);
    special.fold(kind | mode & 0o777, |sum, bit| sum | bit)
}

/// One changed path of `GET /containers/{id}/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// Where.
    pub path: String,
    /// 0 changed, 1 added, 2 gone.
    pub kind: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_told_in_the_numbers_of_go() {
        for (mode, go) in [
            (0o100_644, 0o644),
            (0o041_777, 1 << 31 | 1 << 20 | 0o777),
            (0o104_755, 1 << 23 | 0o755),
            (0o120_777, 1 << 27 | 0o777),
            (0o020_666, 1 << 26 | 1 << 21 | 0o666),
        ] {
            assert_eq!(go_mode(mode), go, "{mode:o}");
        }
    }

    #[test]
    fn a_create_request_reads_back_as_it_was_written() {
        let text = br#"{"Image":"a","Cmd":["x"],"Entrypoint":"sh","HostConfig":{"Memory":5},
            "NetworkingConfig":{"EndpointsConfig":{"net":null}}}"#;
        let create = ContainerCreate::read(text).unwrap();
        assert_eq!(create.config.cmd, Some(vec!["x".to_owned()]));
        assert_eq!(create.config.entrypoint, Some(vec!["sh".to_owned()]));
        assert_eq!(create.host_config.memory, 5);
        assert_eq!(create.networking_config.endpoints_config["net"], EndpointSettings::default());
        let again = ContainerCreate::read(serde_json::to_string(&create).unwrap().as_bytes()).unwrap();
        assert_eq!(again, create);
    }
}
