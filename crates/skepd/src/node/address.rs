//! Which addresses a node listens on and is told others by, out of what a user says.
//!
//! Texts of refusals are those that docker's CLI adds its hints to (`engine_api.md` section 3).

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use api::error::ApiError;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// The port of the managers if nothing is said.
pub(crate) const DEFAULT_PORT: u16 = 2377;

/// Where a node listens, and what others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// What others are told.
    pub(crate) advertise: SocketAddr,
}

/// One address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// The interface's name.
    pub(crate) name: String,
    /// The address.
    pub(crate) ip: IpAddr,
}

/// The addresses of this machine's interfaces that are up, without the loopback's.
pub(crate) fn interfaces() -> Result<Vec<Interface>, ApiError> {
    let all = getifaddrs()
        .map_err(|error| ApiError::internal(format!("listing the addresses of this node: {error}")))?;
    let usable = all.filter(|entry| {
        entry.flags.contains(InterfaceFlags::IFF_UP) && !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    });
    let address = |entry: nix::ifaddrs::InterfaceAddress| {
        let address = entry.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let v6 = address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
        Some(Interface { name: entry.interface_name, ip: v4.or(v6)? })
    };
    Ok(usable.filter_map(address).collect())
}

/// Chooses both addresses. `listen` and `advertise` are `host[:port]`, where the host may be an interface's name.
pub(crate) fn choose(listen: &str, advertise: &str, interfaces: &[Interface]) -> Result<Addresses, ApiError> {
    let listen = match listen {
        "" => SocketAddr::new(IpAddr::from([0, 0, 0, 0]), DEFAULT_PORT),
        text => resolve(text, DEFAULT_PORT, interfaces)
            .map_err(|why| ApiError::invalid(format!("invalid ListenAddr \"{text}\": {why}")))?,
    };
    let advertise = match advertise {
        "" if listen.ip().is_unspecified() => SocketAddr::new(only_address(interfaces)?, listen.port()),
        "" => listen,
        text => resolve(text, listen.port(), interfaces)
            .map_err(|why| ApiError::invalid(format!("invalid AdvertiseAddr \"{text}\": {why}")))?,
    };
    if advertise.ip().is_unspecified() {
        return Err(ApiError::invalid(
            "advertise address must be a non-zero IP address or network interface (with optional port number)",
        ));
    }
    Ok(Addresses { listen, advertise })
}

/// Chooses both addresses of a node that joins. One that is told nothing advertises the address from which it reaches
/// the manager that it joins.
pub(crate) fn choose_to_join(
    (listen, advertise): (&str, &str),
    remote: &str,
    interfaces: &[Interface],
) -> Result<Addresses, ApiError> {
    if !advertise.is_empty() {
        return choose(listen, advertise, interfaces);
    }
    let way_out = way_out(remote).map(|ip| ip.to_string());
    let listens = if listen.is_empty() { None } else { resolve(listen, DEFAULT_PORT, interfaces).ok() };
    match way_out.filter(|_| listens.is_none_or(|listens| listens.ip().is_unspecified())) {
        Some(ip) => choose(listen, &ip, interfaces),
        None => choose(listen, "", interfaces),
    }
}

/// A manager's address, with the usual port if it names none.
pub(crate) fn with_port(text: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::invalid(format!("invalid RemoteAddrs \"{text}\": it is not host[:port]"));
    if text.is_empty() || text.contains(['/', ' ', '@']) {
        return Err(invalid());
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT).to_string());
    }
    match text.rsplit_once(':') {
        None => Ok(format!("{text}:{DEFAULT_PORT}")),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        Some(_) => Err(invalid()),
    }
}

/// The address of this machine from which another is reached. Nothing is sent.
fn way_out(remote: &str) -> Option<IpAddr> {
    let remote = remote.to_socket_addrs().ok()?.next()?;
    let any: IpAddr = if remote.is_ipv4() { [0, 0, 0, 0].into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Checks the address of the data plane: an address, or an interface that has one. Empty means none of its own.
pub(crate) fn data_path(text: &str, interfaces: &[Interface]) -> Result<String, ApiError> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let address = resolve(text, 0, interfaces);
    let address =
        address.map_err(|why| ApiError::invalid(format!("invalid DataPathAddr \"{text}\": {why}")))?;
    if address.ip().is_unspecified() {
        return Err(ApiError::invalid(format!(
            "invalid DataPathAddr \"{text}\": it is no address of its own"
        )));
    }
    Ok(address.ip().to_string())
}

fn resolve(text: &str, default_port: u16, interfaces: &[Interface]) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
        return Ok(SocketAddr::new(ip, default_port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| format!("\"{port}\" is not a port"))?),
        None => (text, default_port),
    };
    if let Ok(ip) = host.parse() {
        return Ok(SocketAddr::new(ip, port));
    }
    let mut found = interfaces.iter().filter(|interface| interface.name == host && interface.ip.is_ipv4());
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(SocketAddr::new(one.ip, port)),
        (Some(one), Some(other)) => {
            Err(format!("interface {host} has more than one IPv4 address ({} and {})", one.ip, other.ip))
        }
        (None, _) => {
            Err("it is neither an IP address nor a network interface with an IPv4 address".to_owned())
        }
    }
}

/// The machine's address, if there is only one to think of.
fn only_address(interfaces: &[Interface]) -> Result<IpAddr, ApiError> {
    let mut candidates =
        interfaces.iter().filter(|interface| interface.ip.is_ipv4() && !is_ours(&interface.name));
    match (candidates.next(), candidates.next()) {
        (Some(one), None) => Ok(one.ip),
        (Some(one), Some(other)) if one.name == other.name => Err(ApiError::invalid(format!(
            "could not choose an IP address to advertise since this system has multiple addresses on interface {} \
             ({} and {})",
            one.name, one.ip, other.ip
        ))),
        (Some(one), Some(other)) => Err(ApiError::invalid(format!(
            "could not choose an IP address to advertise since this system has multiple addresses on different \
             interfaces ({} on {} and {} on {})",
            one.ip, one.name, other.ip, other.name
        ))),
        (None, _) => Err(ApiError::invalid(
            "could not find the system's IP address - specify one with --advertise-addr",
        )),
    }
}

/// Bridges that engines make for containers are no way to reach a machine.
fn is_ours(name: &str) -> bool {
    let of_another_root = name.strip_prefix("sk").and_then(|rest| rest.strip_suffix('0'));
    let is_of_another_root =
        of_another_root.is_some_and(|id| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_of_another_root
        || ["docker", "skep", "br-", "veth", "virbr"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, ip: &str) -> Interface {
        Interface { name: name.to_owned(), ip: ip.parse().unwrap() }
    }

    #[test]
    fn one_address_needs_no_choice() {
        let one = [
            ("eth0", "10.0.0.5"),
            ("docker0", "172.17.0.1"),
            ("skb68d31840", "172.18.0.1"),
            ("eth0", "fe80::1"),
        ]
        .map(|(name, ip)| interface(name, ip));
        let chosen = choose("", "", &one).unwrap();
        assert_eq!(chosen.advertise.to_string(), "10.0.0.5:2377");
        assert_eq!(chosen.listen.to_string(), "0.0.0.0:2377");
        assert_eq!(choose("eth0:4000", "", &one).unwrap().advertise.to_string(), "10.0.0.5:4000");
        assert_eq!(
            choose("0.0.0.0:4000", "127.0.0.1", &one).unwrap().advertise.to_string(),
            "127.0.0.1:4000"
        );
    }

    #[test]
    fn a_joiner_that_is_told_nothing_advertises_its_way_out() {
        let two = [interface("eth0", "10.0.0.5"), interface("eth1", "10.1.0.5")];
        let chosen = choose_to_join(("", ""), "127.0.0.1:2377", &two).unwrap();
        assert_eq!(chosen.advertise.to_string(), "127.0.0.1:2377");
        let chosen = choose_to_join(("10.1.0.5:4000", ""), "127.0.0.1:2377", &two).unwrap();
        assert_eq!(chosen.advertise.to_string(), "10.1.0.5:4000");
        let chosen = choose_to_join(("", "eth0"), "127.0.0.1:2377", &two).unwrap();
        assert_eq!(chosen.advertise.to_string(), "10.0.0.5:2377");
        assert!(choose_to_join(("", ""), "no address", &two).is_err());
        assert_eq!(data_path("eth1", &two).unwrap(), "10.1.0.5");
        for (said, meant) in
            [("10.0.0.9", "10.0.0.9:2377"), ("host:1", "host:1"), ("fd00::1", "[fd00::1]:2377")]
        {
            assert_eq!(with_port(said).unwrap(), meant);
        }
        assert!(["", ":1", "host:port", "http://host"].iter().all(|said| with_port(said).is_err()));
        assert!(data_path("eth7", &two).is_err() && data_path("0.0.0.0", &two).is_err());
    }

    #[test]
    fn wrong_addresses_are_refused_in_known_words() {
        let two = [interface("eth0", "10.0.0.5"), interface("eth1", "10.1.0.5")];
        for (listen, advertise, interfaces, words) in [
            ("", "", &two[..], "could not choose an IP address to advertise"),
            ("", "", &[], "could not find the system's IP address - specify one with --advertise-addr"),
            ("", "0.0.0.0", &two, "advertise address must be a non-zero IP address or network interface"),
            ("nope", "", &two, "invalid ListenAddr \"nope\""),
            ("", "eth9:1", &two, "invalid AdvertiseAddr \"eth9:1\""),
            ("eth0:port", "", &two, "\"port\" is not a port"),
        ] {
            let error = choose(listen, advertise, interfaces).unwrap_err();
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
}
