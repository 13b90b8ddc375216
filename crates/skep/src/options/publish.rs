//! `--publish`: a port of the service, short (`8080:80/tcp`) or long (`target=80,published=8080`).

use std::str::FromStr;

use api::spec::endpoint::PortConfig;

use super::ports::Short;
use super::values::fields;

/// The ports that one word names: a range names several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) Vec<PortConfig>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('=') { long(text).map(|port| Self(vec![port])) } else { short(text).map(Self) }
    }
}

fn long(text: &str) -> Result<PortConfig, String> {
    let mut port = port("tcp", 0, 0);
    for (key, value) in fields(text) {
        let Some(value) = value else { return Err(format!("invalid field: {key}")) };
        let value = value.to_lowercase();
        match (key.as_str(), value.as_str()) {
            ("protocol", "tcp" | "udp" | "sctp") => port.protocol = value,
            ("protocol", _) => return Err(format!("invalid protocol value '{value}'")),
            ("mode", "ingress" | "host") => port.publish_mode = value,
            ("mode", _) => {
                return Err(format!(
                    "invalid publish mode value ({value}): must be either 'ingress' or 'host'"
                ));
            }
            ("target", _) => port.target_port = number(&value, "target port")?,
            ("published", _) => port.published_port = number(&value, "published port")?,
            _ => return Err(format!("invalid field key: {key}")),
        }
    }
    if port.target_port == 0 {
        return Err("missing mandatory field 'target'".to_owned());
    }
    Ok(port)
}

fn number(text: &str, what: &str) -> Result<u32, String> {
    let refuse = || format!("invalid {what} ({text}): value must be an integer: invalid syntax");
    text.parse::<u16>().map(u32::from).map_err(|_| refuse())
}

fn short(text: &str) -> Result<Vec<PortConfig>, String> {
    let Short { ip, published, targets, protocol } = Short::read(text)?;
    if !ip.is_empty() {
        return Err("hostip is not supported".to_owned());
    }
    let pair = |(target, shown): (u16, u16)| port(&protocol, target.into(), shown.into());
    Ok(match published {
        None => targets.map(|target| pair((target, 0))).collect(),
        Some(published) if targets.len() == 1 => targets.cycle().zip(published).map(pair).collect(),
        Some(published) if published.len() == targets.len() => targets.zip(published).map(pair).collect(),
        Some(_) => return Err(format!("invalid ranges specified for container and host Ports: {text}")),
    })
}

fn port(protocol: &str, target_port: u32, published_port: u32) -> PortConfig {
    PortConfig {
        name: String::new(),
        protocol: protocol.to_owned(),
        target_port,
        published_port,
        publish_mode: "ingress".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_words_name_ports() {
        for (text, expected) in [
            ("80", "0:80/tcp:ingress"),
            ("8080:80/udp", "8080:80/udp:ingress"),
            ("80-81:90-91", "80:90/tcp:ingress 81:91/tcp:ingress"),
            ("80-81:90", "80:90/tcp:ingress 81:90/tcp:ingress"),
            ("target=80,published=8080,mode=host,protocol=SCTP", "8080:80/sctp:host"),
        ] {
            let ports: Ports = text.parse().unwrap();
            let shown = ports.0.iter().map(|port| {
                let PortConfig { published_port, target_port, protocol, publish_mode, .. } = port;
                format!("{published_port}:{target_port}/{protocol}:{publish_mode}")
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn bad_words_name_the_rule() {
        for (text, rule) in [
            ("a:b", "invalid containerPort: b"),
            ("70000", "invalid containerPort: 70000"),
            ("0:80", "invalid hostPort: 0"),
            ("1.2.3.4:80:80", "hostip is not supported"),
            ("80:80/foo", "invalid proto: foo"),
            ("80-81:90-93", "invalid ranges specified for container and host Ports: 80-81:90-93"),
            ("target=80,foo=1", "invalid field key: foo"),
            ("target=80,protocol=foo", "invalid protocol value 'foo'"),
            ("published=80", "missing mandatory field 'target'"),
            ("target=80,mode=x", "invalid publish mode value (x): must be either 'ingress' or 'host'"),
        ] {
            assert_eq!(text.parse::<Ports>().unwrap_err(), rule, "{text}");
        }
    }
}
