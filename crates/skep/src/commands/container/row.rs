//! One container in a table: for `ps` and `system df`.

use api::container::{ContainerSummary, MountPoint, Port};
use serde_json::Value;

use crate::output::format::{Column, Row, labels, row};
use crate::output::units;
use crate::output::width::Width;
use crate::session::short;

/// Everything that a table of containers can show.
pub(crate) const COLUMNS: &[Column] = &[
    Column { field: "ID", head: "CONTAINER ID" },
    Column { field: "Image", head: "IMAGE" },
    Column { field: "Command", head: "COMMAND" },
    Column { field: "RunningFor", head: "CREATED" },
    Column { field: "CreatedAt", head: "CREATED AT" },
    Column { field: "State", head: "STATE" },
    Column { field: "Status", head: "STATUS" },
    Column { field: "Ports", head: "PORTS" },
    Column { field: "Names", head: "NAMES" },
    Column { field: "Labels", head: "LABELS" },
    Column { field: "Mounts", head: "MOUNTS" },
    Column { field: "LocalVolumes", head: "LOCAL VOLUMES" },
    Column { field: "Networks", head: "NETWORKS" },
    Column { field: "Size", head: "SIZE" },
];

/// The row of a container.
pub(crate) fn line(container: &ContainerSummary, width: Width) -> Row {
    let names: Vec<&str> = container.names.iter().map(|name| name.trim_start_matches('/')).collect();
    let networks: Vec<&str> = container.network_settings.networks.keys().map(String::as_str).collect();
    let mounts = container.mounts.iter().map(|mount| width.cut(mount_name(mount), 15));
    let volumes = container.mounts.iter().filter(|mount| mount.driver == "local").count();
    let [shown, whole] = labels(&container.labels);
    row([
        ("ID", width.id(&container.id).into()),
        ("Image", image(container, width).into()),
        ("Command", format!("{:?}", width.cut(&container.command, 20)).into()),
        ("RunningFor", units::ago(container.created).into()),
        ("CreatedAt", units::moment(container.created).into()),
        ("State", container.state.clone().into()),
        ("Status", container.status.clone().into()),
        ("Ports", ports(&container.ports).into()),
        ("Names", names.join(",").into()),
        shown,
        whole,
        ("Mounts", mounts.collect::<Vec<_>>().join(",").into()),
        ("LocalVolumes", volumes.to_string().into()),
        ("Networks", networks.join(",").into()),
        ("Platform", Value::Null),
        ("Size", size(container).into()),
    ])
}

fn mount_name(mount: &MountPoint) -> &str {
    if mount.name.is_empty() { &mount.source } else { &mount.name }
}

/// The name without its digest; the id if the name is one.
fn image(container: &ContainerSummary, width: Width) -> String {
    let name = container.image.as_str();
    match name {
        "" => "<no image>".to_owned(),
        _ if width == Width::Whole => name.to_owned(),
        _ if short(name) == short(&container.image_id) => short(name),
        _ => name.split('@').next().unwrap_or(name).to_owned(),
    }
}

/// What was written, and what there is in all: `5B (virtual 1.98MB)`.
fn size(container: &ContainerSummary) -> String {
    let size = |bytes: Option<i64>| units::size(bytes.unwrap_or_default() as f64);
    match container.size_root_fs {
        Some(whole) if whole > 0 => {
            format!("{} (virtual {})", size(container.size_rw), size(container.size_root_fs))
        }
        _ => size(container.size_rw),
    }
}

/// `0.0.0.0:8080->80/tcp, 443-445/tcp`: neighbours with the same number on both sides become a range, and those
/// with another number stand at the end.
fn ports(ports: &[Port]) -> String {
    let mut sorted: Vec<&Port> = ports.iter().collect();
    sorted.sort_by_key(|port| (port.private_port, &port.ip, port.public_port, &port.r#type));
    let mut ranges: Vec<Range<'_>> = Vec::new();
    let mut moved = Vec::new();
    for port in sorted {
        let Port { ip, private_port, public_port, r#type: kind } = port;
        if *public_port != 0 && public_port != private_port {
            moved.push(format!("{}{public_port}->{private_port}/{kind}", before_port(ip)));
            continue;
        }
        let ip = if *public_port == 0 { "" } else { ip };
        match ranges.iter_mut().rev().find(|range| (range.ip, range.kind) == (ip, kind)) {
            Some(range) if range.last + 1 == *private_port => range.last = *private_port,
            _ => ranges.push(Range { ip, kind, first: *private_port, last: *private_port }),
        }
    }
    ranges.iter().map(Range::shown).chain(moved).collect::<Vec<_>>().join(", ")
}

/// Ports that follow on each other.
struct Range<'a> {
    /// The address on the host; empty if they are not published.
    ip: &'a str,
    kind: &'a str,
    first: u16,
    last: u16,
}

impl Range<'_> {
    fn shown(&self) -> String {
        let Self { ip, kind, first, last } = self;
        let numbers = if first == last { first.to_string() } else { format!("{first}-{last}") };
        match *ip {
            "" => format!("{numbers}/{kind}"),
            ip => format!("{}{numbers}->{numbers}/{kind}", before_port(ip)),
        }
    }
}

/// An address with the colon before a port; nothing if there is no address.
fn before_port(ip: &str) -> String {
    match ip {
        "" => String::new(),
        ip if ip.contains(':') => format!("[{ip}]:"),
        ip => format!("{ip}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_show_where_they_lead() {
        let port = |ip: &str, private_port, public_port| Port {
            ip: ip.to_owned(),
            private_port,
            public_port,
            r#type: "tcp".to_owned(),
        };
        for (all, shown) in [
            (
                vec![port("0.0.0.0", 80, 8080), port("::", 80, 8080), port("", 80, 0)],
                "80/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
            ),
            (vec![port("", 82, 0), port("", 81, 0), port("", 80, 0)], "80-82/tcp"),
            (vec![port("0.0.0.0", 80, 80), port("0.0.0.0", 81, 81)], "0.0.0.0:80-81->80-81/tcp"),
        ] {
            assert_eq!(ports(&all), shown);
        }
    }
}
