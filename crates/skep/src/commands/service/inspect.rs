//! `skep service inspect`.

use anyhow::Result;
use api::service::Service;
use clap::Args;
use serde_json::Value;

use crate::output::inspect;
use crate::session::Session;

/// Show everything about services
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service inspect --format '{{.Spec.Name}}' web")]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Show them by a template, or as `json`
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "pretty")]
    format: Option<String>,
    /// Show what people want to know
    #[arg(long)]
    pretty: bool,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut values = Vec::new();
        for service in &self.services {
            let path = format!("/services/{service}?insertDefaults=true");
            values.push(session.client.get::<Value>(&path).await?);
        }
        if !self.pretty {
            return session.line(inspect::all(self.format.as_deref(), values)?);
        }
        for value in values {
            let service: Service = serde_json::from_value(value)?;
            session.line(page(&service))?;
        }
        Ok(())
    }
}

fn page(service: &Service) -> String {
    let spec = &service.spec;
    let mut text = format!("\nID:\t\t{}\nName:\t\t{}\n", service.id, spec.name);
    if !spec.labels.is_empty() {
        text.push_str("Labels:\n");
        spec.labels.iter().for_each(|(key, value)| text.push_str(&format!(" {key}={value}\n")));
    }
    let mode = api::template::title(super::list::mode(&spec.mode));
    text.push_str(&format!("Service Mode:\t{mode}\n"));
    if let Some(replicas) = spec.mode.replicated.and_then(|replicated| replicated.replicas) {
        text.push_str(&format!(" Replicas:\t{replicas}\n"));
    }
    if let Some(status) = service.update_status.as_ref().filter(|status| !status.state.is_empty()) {
        text.push_str(&format!(
            "UpdateStatus:\n State:\t\t{}\n Message:\t{}\n",
            status.state, status.message
        ));
    }
    if let Some(container) = &spec.task_template.container_spec {
        text.push_str(&format!("ContainerSpec:\n Image:\t\t{}\n", container.image));
        if !container.args.is_empty() {
            text.push_str(&format!(" Args:\t\t{}\n", container.args.join(" ")));
        }
        if !container.env.is_empty() {
            text.push_str(&format!(" Env:\t\t{}\n", container.env.join(" ")));
        }
    }
    if !service.endpoint.ports.is_empty() {
        text.push_str("Ports:\n");
        for port in &service.endpoint.ports {
            let (published, target) = (port.published_port, port.target_port);
            text.push_str(&format!(
                " PublishedPort = {published}\n  Protocol = {}\n  TargetPort = {target}\n  PublishMode = {}\n",
                port.protocol, port.publish_mode
            ));
        }
    }
    text
}
