//! `--publish`, `--network`, `--dns` and the like: how a container is reached, and whom it reaches.

use std::net::IpAddr;

use anyhow::{Result, bail};
use api::container::{ContainerCreate, Empty, EndpointIpam, EndpointSettings};
use api::host_config::PortBinding;
use clap::Args;

use super::host::{HostEntry, host};
use super::network::Network;
use super::ports::{PortWord, exposed};

/// How a container is reached, and whom it reaches.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Reach {
    /// A line of the hosts file, NAME:IP
    #[arg(long, value_name = "ENTRY", value_parser = host)]
    add_host: Vec<HostEntry>,
    /// A name server
    #[arg(long, value_name = "IP")]
    dns: Vec<IpAddr>,
    /// An option for names
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// What to append to names
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// A port that it listens on, or a range: PORT[-PORT][/PROTOCOL]
    #[arg(long, value_name = "PORT", value_parser = exposed)]
    expose: Vec<PortWord>,
    /// Its IPv4 address
    #[arg(long, value_name = "IP")]
    ip: Option<std::net::Ipv4Addr>,
    /// Its IPv6 address
    #[arg(long, value_name = "IP")]
    ip6: Option<std::net::Ipv6Addr>,
    /// Another container that it knows by name: NAME[:ALIAS]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
    /// Its hardware address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    mac_address: String,
    /// A network to join: bridge, host, none, container:NAME, a name, or name=,alias=,ip=,…
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Vec<Network>,
    /// One more name of it within its network
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// A port to publish: [[IP:]PUBLISHED:]TARGET[/PROTOCOL], or published=,target=,protocol=
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<PortWord>,
    /// Publish every port that it exposes, each on one by chance
    #[arg(short = 'P', long)]
    publish_all: bool,
}

/// True for the networks that every host has: nothing can be wished in them.
fn is_mode(name: &str) -> bool {
    matches!(name, "default" | "bridge" | "host" | "none") || name.starts_with("container:")
}

impl Reach {
    /// Writes what is given into the request.
    pub(crate) fn apply(mut self, create: &mut ContainerCreate) -> Result<()> {
        let networks = std::mem::take(&mut self.network);
        let wished = self.endpoint();
        let host = &mut create.host_config;
        host.extra_hosts = self.add_host.iter().map(HostEntry::pair).collect();
        host.dns = self.dns.iter().map(IpAddr::to_string).collect();
        host.dns_options = self.dns_option;
        host.dns_search = self.dns_search;
        host.publish_all_ports = self.publish_all;
        for PortWord { ports } in self.expose {
            create.config.exposed_ports.extend(ports.into_iter().map(|port| (port.target, Empty {})));
        }
        for port in self.publish.into_iter().flat_map(|PortWord { ports }| ports) {
            create.config.exposed_ports.insert(port.target.clone(), Empty {});
            let binding = PortBinding { host_ip: port.ip, host_port: port.published };
            host.port_bindings.entry(port.target).or_default().get_or_insert_default().push(binding);
        }
        join(networks, wished, self.link, create)
    }

    /// What the flags that stand alone wish of the first network.
    fn endpoint(&self) -> EndpointSettings {
        let text = |ip: Option<String>| ip.unwrap_or_default();
        let ipam = EndpointIpam {
            ipv4_address: text(self.ip.map(|ip| ip.to_string())),
            ipv6_address: text(self.ip6.map(|ip| ip.to_string())),
        };
        EndpointSettings {
            ipam_config: Some(ipam).filter(|ipam| *ipam != EndpointIpam::default()),
            aliases: self.network_alias.clone(),
            mac_address: self.mac_address.clone(),
            ..EndpointSettings::default()
        }
    }
}

/// The first network is the container's mode and gets what was wished alone; all but the modes get a place.
fn join(
    networks: Vec<Network>,
    wished: EndpointSettings,
    links: Vec<String>,
    create: &mut ContainerCreate,
) -> Result<()> {
    let first = networks.first().map_or("default", Network::name).to_owned();
    if networks.len() > 1
        && networks.iter().any(|network| is_mode(network.name()) && network.name() != "bridge")
    {
        bail!("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
    }
    let places = &mut create.networking_config.endpoints_config;
    let is_several = networks.len() > 1;
    for network in networks {
        let name = network.name().to_owned();
        if is_mode(&name) && !is_several {
            continue;
        }
        if places.insert(name.clone(), network.endpoint()?).is_some() {
            bail!("network {name:?} is specified multiple times");
        }
    }
    match places.get_mut(&first) {
        Some(place) => place.links = links,
        None => create.host_config.links = links,
    }
    if wished != EndpointSettings::default() {
        overlay(wished, places.entry(first.clone()).or_default())?;
    }
    create.host_config.network_mode = first;
    Ok(())
}

/// Puts what was wished alone over what the network's own word says; both is too much.
fn overlay(wished: EndpointSettings, to: &mut EndpointSettings) -> Result<()> {
    if !wished.aliases.is_empty() {
        if !to.aliases.is_empty() {
            bail!("conflicting options: cannot specify both --network-alias and per-network alias");
        }
        to.aliases = wished.aliases;
    }
    if wished.ipam_config.is_some() {
        if to.ipam_config.is_some() {
            bail!("conflicting options: cannot specify both --ip and per-network IPv4 or IPv6 address");
        }
        to.ipam_config = wished.ipam_config;
    }
    if !wished.mac_address.is_empty() {
        if !to.mac_address.is_empty() {
            bail!("conflicting options: cannot specify both --mac-address and per-network MAC address");
        }
        to.mac_address = wished.mac_address;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        reach: Reach,
    }

    fn wished(words: &[&str]) -> Result<ContainerCreate> {
        let all = std::iter::once("x").chain(words.iter().copied());
        let mut create = ContainerCreate::default();
        Words::try_parse_from(all)?.reach.apply(&mut create)?;
        Ok(create)
    }

    #[test]
    fn ports_are_exposed_and_bound() {
        let create = wished(&["-p", "127.0.0.1:8080:80", "-p", "53:53/udp", "--expose", "90-91"]).unwrap();
        let exposed: Vec<&str> = create.config.exposed_ports.keys().map(String::as_str).collect();
        assert_eq!(exposed, ["53/udp", "80/tcp", "90/tcp", "91/tcp"]);
        let bound = create.host_config.port_bindings["80/tcp"].as_ref().unwrap();
        assert_eq!((bound[0].host_ip.as_str(), bound[0].host_port.as_str()), ("127.0.0.1", "8080"));
        assert!(!create.host_config.port_bindings.contains_key("90/tcp"));
    }

    #[test]
    fn the_first_network_is_the_mode() {
        let create =
            wished(&["--network", "a", "--network", "name=b,ip=1.2.3.4", "--ip", "5.6.7.8"]).unwrap();
        assert_eq!(create.host_config.network_mode, "a");
        let places = create.networking_config.endpoints_config;
        let ip = |name: &str| places[name].ipam_config.as_ref().unwrap().ipv4_address.clone();
        assert_eq!((ip("a"), ip("b")), ("5.6.7.8".to_owned(), "1.2.3.4".to_owned()));
        let create = wished(&["--network", "host"]).unwrap();
        assert!(create.networking_config.endpoints_config.is_empty());
        let create = wished(&["--network", "a", "--link", "db"]).unwrap();
        assert_eq!(create.networking_config.endpoints_config["a"].links, ["db"]);
    }

    #[test]
    fn bad_words_name_the_rule() {
        for (words, rule) in [
            (&["--network", "host", "--network", "a"][..], "cannot attach both user-defined"),
            (&["--network", "a", "--network", "a"], "\"a\" is specified multiple times"),
            (
                &["--network", "name=a,alias=x", "--network-alias", "y"],
                "--network-alias and per-network alias",
            ),
            (&["--ip", "x"], "'--ip <IP>'"),
            (&["--dns", "x"], "'--dns <IP>'"),
            (&["--add-host", "x"], "bad format for add-host"),
            (&["-p", "x"], "invalid containerPort: x"),
        ] {
            let refusal = wished(words).unwrap_err().to_string();
            assert!(refusal.contains(rule), "{words:?}: {refusal}");
        }
    }
}
