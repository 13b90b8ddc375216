//! `skep service ls`.

use anyhow::Result;
use api::service::{Service, ServiceMode};
use api::spec::endpoint::PortConfig;
use clap::Args;

use crate::commands::listing::Listing;
use crate::output::format::{Column, Format, Row, row};
use crate::session::{Session, short};

/// List services
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: id, label, mode, name\n\nExample:\n  skep service ls --filter mode=global --format '{{.Name}} {{.Replicas}}'"
)]
pub(crate) struct List {
    #[command(flatten)]
    listing: Listing,
}

const FORMAT: Format = Format {
    key: "ID",
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
        let services = ask(session, &self.listing).await?;
        show(session, &self.listing, &services)
    }
}

/// Asks for those that fit.
pub(crate) async fn ask(session: &Session, listing: &Listing) -> Result<Vec<Service>> {
    let mut services: Vec<Service> = listing.ask(session, "/services?status=true").await?;
    services.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    Ok(services)
}

/// Shows them as they were asked for.
pub(crate) fn show(session: &mut Session, listing: &Listing, services: &[Service]) -> Result<()> {
    listing.show(session, &FORMAT, &services.iter().map(line).collect::<Vec<_>>())
}

fn line(service: &Service) -> Row {
    let image = service.spec.task_template.container_spec.as_ref().map(|spec| spec.image.as_str());
    let image = image.unwrap_or_default().split('@').next().unwrap_or_default();
    row([
        ("ID", short(&service.id).into()),
        ("Name", service.spec.name.clone().into()),
        ("Mode", mode(&service.spec.mode).into()),
        ("Replicas", replicas(service).into()),
        ("Image", image.into()),
        ("Ports", ports(&service.endpoint.ports).into()),
    ])
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
