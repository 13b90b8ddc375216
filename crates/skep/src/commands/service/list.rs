//! `skep service ls`.

use anyhow::Result;
use api::service::{Service, ServiceMode};
use api::spec::endpoint::PortConfig;
use clap::Args;
use serde_json::Value;

use crate::output::format::{Column, Format, Row};
use crate::session::{Session, filters, short, with_filters};

/// List services
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service ls --filter mode=global --format '{{.Name}} {{.Replicas}}'")]
pub(crate) struct List {
    /// Only those that fit, KEY=VALUE: id, label, mode, name
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const FORMAT: Format = Format {
    plain: &["ID", "Name", "Mode", "Replicas", "Image", "Ports"],
    columns: &[
        Column { field: "ID", head: "ID" },
        Column { field: "Name", head: "NAME" },
        Column { field: "Mode", head: "MODE" },
        Column { field: "Replicas", head: "REPLICAS" },
        Column { field: "Image", head: "IMAGE" },
        Column { field: "Ports", head: "PORTS" },
    ],
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = with_filters("/services?status=true", &filters(&self.filter)?);
        let mut services: Vec<Service> = session.client.get(&path).await?;
        services.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
        if self.quiet {
            return services.iter().try_for_each(|service| session.line(short(&service.id)));
        }
        let rows: Vec<Row> = services.iter().map(row).collect();
        FORMAT.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }
}

fn row(service: &Service) -> Row {
    let image = service.spec.task_template.container_spec.as_ref().map(|spec| spec.image.as_str());
    let image = image.unwrap_or_default().split('@').next().unwrap_or_default();
    let cells = [
        ("ID", short(&service.id)),
        ("Name", service.spec.name.clone()),
        ("Mode", mode(&service.spec.mode).to_owned()),
        ("Replicas", replicas(service)),
        ("Image", image.to_owned()),
        ("Ports", ports(&service.endpoint.ports)),
    ];
    cells.into_iter().map(|(field, text)| (field.to_owned(), Value::String(text))).collect()
}

/// The mode in words.
pub(super) fn mode(mode: &ServiceMode) -> &'static str {
    match mode {
        ServiceMode { global: Some(_), .. } => "global",
        ServiceMode { replicated_job: Some(_), .. } => "replicated job",
        ServiceMode { global_job: Some(_), .. } => "global job",
        _ => "replicated",
    }
}

fn replicas(service: &Service) -> String {
    let status = service.service_status.unwrap_or_default();
    let counts = format!("{}/{}", status.running_tasks, status.desired_tasks);
    if let Some(job) = &service.spec.mode.replicated_job {
        let total = job.total_completions.unwrap_or_default();
        return format!("{counts} ({}/{total} completed)", status.completed_tasks);
    }
    match service.spec.task_template.placement.as_ref().map(|placement| placement.max_replicas) {
        Some(max) if max > 0 => format!("{counts} (max {max} per node)"),
        _ => counts,
    }
}

fn ports(ports: &[PortConfig]) -> String {
    let published = ports.iter().filter(|port| port.publish_mode != "host");
    let shown =
        published.map(|port| format!("*:{}->{}/{}", port.published_port, port.target_port, port.protocol));
    shown.collect::<Vec<_>>().join(", ")
}
