//! `--publish` and `--expose` of containers: `127.0.0.1:8080:80/tcp`, also with ranges, or `target=80,published=8080`.

use std::net::IpAddr;
use std::str::FromStr;

use super::publish::Ports;

/// The ports that one word names: a range names several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortWord {
    pub(crate) ports: Vec<ContainerPort>,
}

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerPort {
    /// The port in the container, `80/tcp`.
    pub(crate) target: String,
    /// The address on the host; empty means all.
    pub(crate) ip: String,
    /// The port on the host, or a range to choose from; empty means any.
    pub(crate) published: String,
}

impl FromStr for PortWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('=') {
            let Ports(ports) = text.parse()?;
            let one = |port: api::spec::endpoint::PortConfig| ContainerPort {
                target: format!("{}/{}", port.target_port, port.protocol),
                ip: String::new(),
                published: Some(port.published_port)
                    .filter(|port| *port > 0)
                    .map(|port| port.to_string())
                    .unwrap_or_default(),
            };
            return Ok(Self { ports: ports.into_iter().map(one).collect() });
        }
        let Short { ip, published, targets, protocol } = Short::read(text)?;
        let published = match published {
            None => vec![String::new(); targets.len()],
            Some(range) if targets.len() == 1 => vec![range.word()],
            Some(range) if range.len() == targets.len() => range.map(|port| port.to_string()).collect(),
            Some(_) => return Err(format!("invalid ranges specified for container and host Ports: {text}")),
        };
        let one = |(target, published)| ContainerPort {
            target: format!("{target}/{protocol}"),
            ip: ip.clone(),
            published,
        };
        Ok(Self { ports: targets.zip(published).map(one).collect() })
    }
}

/// `--expose`: `80`, `80-90/udp`.
pub(crate) fn exposed(text: &str) -> Result<PortWord, String> {
    if text.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    text.parse()
}

/// The short form, taken apart.
pub(crate) struct Short {
    /// The address on the host; empty means all.
    pub(crate) ip: String,
    /// Ports on the host, if some are named.
    pub(crate) published: Option<PortRange>,
    /// Ports in the container.
    pub(crate) targets: PortRange,
    /// `tcp`, `udp` or `sctp`.
    pub(crate) protocol: String,
}

impl Short {
    /// Reads `[[ip:]published:]target[/protocol]`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = protocol.to_lowercase();
        if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
            return Err(format!("invalid proto: {protocol}"));
        }
        let (front, target) = ports.rsplit_once(':').unwrap_or(("", ports));
        let (ip, published) = front.rsplit_once(':').unwrap_or(("", front));
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
            return Err(format!("invalid IP address: {ip}"));
        }
        let targets = PortRange::read(target).ok_or_else(|| format!("invalid containerPort: {target}"))?;
        let published = match published {
            "" => None,
            word => Some(PortRange::read(word).ok_or_else(|| format!("invalid hostPort: {word}"))?),
        };
        Ok(Self { ip: ip.to_owned(), published, targets, protocol })
    }
}

/// Ports that follow on each other, from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortRange(std::ops::RangeInclusive<u16>);

impl PortRange {
    /// Reads `80` or `80-90`.
    fn read(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
        (0 < first && first <= last).then_some(Self(first..=last))
    }

    /// As it is written.
    fn word(&self) -> String {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }
}

impl Iterator for PortRange {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for PortRange {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_words_name_ports() {
        for (text, expected) in [
            ("80", "|| 80/tcp"),
            ("8080:80/udp", "|8080| 80/udp"),
            ("127.0.0.1::80", "127.0.0.1|| 80/tcp"),
            ("[::1]:8080:80", "::1|8080| 80/tcp"),
            ("80-81:90-91", "|80| 90/tcp |81| 91/tcp"),
            ("8000-9000:80", "|8000-9000| 80/tcp"),
            ("target=80,published=8080,protocol=sctp", "|8080| 80/sctp"),
        ] {
            let PortWord { ports } = text.parse().unwrap();
            let shown: Vec<String> =
                ports.iter().map(|port| format!("{}|{}| {}", port.ip, port.published, port.target)).collect();
            assert_eq!(shown.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn bad_words_name_the_rule() {
        for (text, rule) in [
            ("foo", "invalid containerPort: foo"),
            ("", "invalid containerPort: "),
            ("0:80", "invalid hostPort: 0"),
            ("x:80:80", "invalid IP address: x"),
            ("80/foo", "invalid proto: foo"),
            ("80-81:90-93", "invalid ranges specified for container and host Ports: 80-81:90-93"),
            ("target=x", "invalid target port (x): value must be an integer: invalid syntax"),
        ] {
            assert_eq!(text.parse::<PortWord>().unwrap_err(), rule, "{text}");
        }
        assert!(exposed("80:80").is_err());
    }
}
