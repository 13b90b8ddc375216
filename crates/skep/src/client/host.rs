//! Where a daemon is, as `--host` and `DOCKER_HOST` say it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// At a unix socket.
    Unix(PathBuf),
    /// At a TCP port.
    Tcp {
        /// A name or an address, IPv6 without brackets.
        name: String,
        /// The port.
        port: u16,
    },
}

/// The port of a daemon on TCP for which none is named; docker's CLI means it with TLS, too.
const PORT: u16 = 2375;
/// Where our own daemon is, unless it is told another place.
pub(crate) const USUAL: &str = "unix:///run/skep.sock";

impl FromStr for Host {
    type Err = String;

    /// Reads `unix:///path`, `tcp://address:port` and what may be left out of it.
    fn from_str(text: &str) -> Result<Self, String> {
        // A variable that is set to nothing is not set.
        let text = if text.is_empty() { USUAL } else { text };
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => tcp(address),
            None => tcp(text),
            Some(("ssh", _)) => Err(format!(
                "\"{text}\": daemons are not reached by ssh; forward the socket with \
                 ssh -L /tmp/skep.sock:/run/skep.sock, and name unix:///tmp/skep.sock"
            )),
            Some(_) => Err(format!("\"{text}\" is neither unix:///path nor tcp://address:port")),
        }
    }
}

fn tcp(address: &str) -> Result<Host, String> {
    let refuse = || format!("\"{address}\" is no address:port");
    let (name, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(refuse)?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => PORT,
        None => return Err(refuse()),
        Some(number) => number.parse().ok().filter(|port| *port != 0).ok_or_else(refuse)?,
    };
    if name.contains(['/', '@', ' ']) {
        return Err(refuse());
    }
    let name = if name.is_empty() { "localhost" } else { name };
    Ok(Host::Tcp { name: name.to_owned(), port })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { name, port } if name.contains(':') => write!(f, "tcp://[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "tcp://{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_socket_or_a_port() {
        for (text, shown) in [
            ("", "unix:///run/skep.sock"),
            ("unix:///a/b", "unix:///a/b"),
            ("tcp://1.2.3.4:5", "tcp://1.2.3.4:5"),
            ("1.2.3.4:5", "tcp://1.2.3.4:5"),
            ("tcp://here", "tcp://here:2375"),
            ("tcp://", "tcp://localhost:2375"),
            ("tcp://[::1]:5", "tcp://[::1]:5"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_rule() {
        for (text, rule) in [
            ("unix://a", "\"unix://a\" is neither unix:///path nor tcp://address:port"),
            ("http://a:1", "\"http://a:1\" is neither unix:///path nor tcp://address:port"),
            ("tcp://a:70000", "\"a:70000\" is no address:port"),
            ("tcp://a:0", "\"a:0\" is no address:port"),
            ("tcp://a:1/path", "\"a:1/path\" is no address:port"),
            ("tcp://[::1", "\"[::1\" is no address:port"),
            ("tcp://[::1]5", "\"[::1]5\" is no address:port"),
            ("tcp://user@a", "\"user@a\" is no address:port"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap_err(), rule);
        }
        let refused = "ssh://user@a".parse::<Host>().unwrap_err();
        assert!(
            refused.contains("not reached by ssh") && refused.contains("unix:///tmp/skep.sock"),
            "{refused}"
        );
    }
}
