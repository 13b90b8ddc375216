//! `skep container ls`, `skep ps`.

use anyhow::Result;
use api::container::{ContainerSummary, Port};
use clap::Args;
use serde_json::Value;

use crate::output::format::{Column, Format, Row};
use crate::output::units;
use crate::session::{Session, filters, short, with_filters};

/// List containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep ps --all --filter status=exited --format '{{.Names}}: {{.Status}}'")]
pub(crate) struct List {
    /// Show ended ones as well
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, KEY=VALUE: ancestor, before, exited, expose, health, id, label, name, network, …
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show only the last so many, ended ones as well
    #[arg(short = 'n', long, value_name = "COUNT")]
    last: Option<u32>,
    /// Show only the latest, ended ones as well
    #[arg(short, long)]
    latest: bool,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const FORMAT: Format = Format {
    plain: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
    columns: &[
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
    ],
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut path = format!("/containers/json?all={}", u8::from(self.all));
        if let Some(limit) = if self.latest { Some(1) } else { self.last } {
            path.push_str(&format!("&limit={limit}"));
        }
        let path = with_filters(&path, &filters(&self.filter)?);
        let containers: Vec<ContainerSummary> = session.client.get(&path).await?;
        if self.quiet {
            return containers.iter().try_for_each(|container| session.line(self.id(&container.id)));
        }
        let rows: Vec<Row> = containers.iter().map(|container| self.row(container)).collect();
        FORMAT.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }

    fn id(&self, id: &str) -> String {
        if self.no_trunc { id.to_owned() } else { short(id) }
    }

    fn cut(&self, text: &str, letters: usize) -> String {
        if self.no_trunc { text.to_owned() } else { units::ellipsis(text, letters) }
    }

    fn row(&self, container: &ContainerSummary) -> Row {
        let names: Vec<&str> = container.names.iter().map(|name| name.trim_start_matches('/')).collect();
        let labels: Vec<String> =
            container.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let networks: Vec<&str> = container.network_settings.networks.keys().map(String::as_str).collect();
        let mounts = container.mounts.iter().map(|mount| {
            let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
            self.cut(name, 15)
        });
        let volumes = container.mounts.iter().filter(|mount| mount.driver == "local").count();
        let cells = [
            ("ID", self.id(&container.id)),
            ("Image", self.image(container)),
            ("Command", format!("{:?}", self.cut(&container.command, 20))),
            ("RunningFor", units::ago(container.created)),
            ("CreatedAt", units::moment(container.created)),
            ("State", container.state.clone()),
            ("Status", container.status.clone()),
            ("Ports", ports(&container.ports)),
            ("Names", names.join(",")),
            ("Labels", labels.join(",")),
            ("Mounts", mounts.collect::<Vec<_>>().join(",")),
            ("LocalVolumes", volumes.to_string()),
            ("Networks", networks.join(",")),
            ("Size", "0B".to_owned()),
        ];
        cells.into_iter().map(|(field, text)| (field.to_owned(), Value::String(text))).collect()
    }

    /// The name without its digest; the id if the name is one.
    fn image(&self, container: &ContainerSummary) -> String {
        let name = container.image.as_str();
        match name {
            "" => "<no image>".to_owned(),
            _ if self.no_trunc => name.to_owned(),
            _ if short(name) == short(&container.image_id) => short(name),
            _ => name.split('@').next().unwrap_or(name).to_owned(),
        }
    }
}

/// `0.0.0.0:8080->80/tcp, 443/tcp`
fn ports(ports: &[Port]) -> String {
    let port = |Port { ip, private_port, public_port, r#type: kind }: &Port| match (*public_port, ip.as_str())
    {
        (0, _) => format!("{private_port}/{kind}"),
        (public, "") => format!("{public}->{private_port}/{kind}"),
        (public, ip) if ip.contains(':') => {
            format!("[{ip}]:{public}->{private_port}/{kind}")
        }
        (public, ip) => format!("{ip}:{public}->{private_port}/{kind}"),
    };
    ports.iter().map(port).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_show_where_they_lead() {
        let port = |ip: &str, public_port| Port {
            ip: ip.to_owned(),
            private_port: 80,
            public_port,
            r#type: "tcp".to_owned(),
        };
        let all = [port("0.0.0.0", 8080), port("::", 8080), port("", 0)];
        assert_eq!(ports(&all), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 80/tcp");
    }
}
