//! The host's own name servers, and the file by which a container finds ours.
//!
//! In: the text of the host's `resolv.conf`. Out: addresses to ask, and the text for a container. It opens nothing.

use std::net::{IpAddr, SocketAddr};

use super::sockets::ADDRESS;

/// The addresses of the host's name servers: the first three, as everywhere.
pub(super) fn servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let addresses = named.filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok());
    addresses.map(|address| SocketAddr::new(address, 53)).take(SERVERS).collect()
}

/// The `resolv.conf` of a container: our name server, and where the host looks for short names.
pub fn resolv_conf(host: &str) -> String {
    let mut text = format!("nameserver {ADDRESS}\n");
    let search_of = |line: &str| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("search" | "domain")).then(|| words.collect::<Vec<_>>().join(" "))
    };
    // As in the host's file, the last line counts.
    let search = host.lines().rev().find_map(search_of);
    if let Some(search) = search.filter(|search| !search.is_empty() && search != ".") {
        text.push_str(&format!("search {search}\n"));
    }
    text.push_str("options ndots:0\n");
    text
}

const SERVERS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "# made by hand\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nsearch example.org lan\n\
                        nameserver 127.0.0.53 trailing\noptions edns0\n";

    #[test]
    fn name_servers_are_read_from_the_hosts_file() {
        let servers: Vec<_> = servers(HOST).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.53:53", "127.0.0.53:53"]);
    }

    #[test]
    fn a_container_asks_us_and_searches_where_the_host_does() {
        assert_eq!(resolv_conf(HOST), "nameserver 127.0.0.11\nsearch example.org lan\noptions ndots:0\n");
        assert_eq!(resolv_conf(""), "nameserver 127.0.0.11\noptions ndots:0\n");
    }
}
