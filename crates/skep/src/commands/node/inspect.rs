//! `skep node inspect`.

use anyhow::Result;
use api::node::Node;
use clap::Args;
use serde_json::Value;

use crate::output::{inspect, units};
use crate::session::Session;

/// Show everything about nodes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep node inspect self --pretty")]
pub(crate) struct Inspect {
    /// Which, by id or name; `self` is the one that is spoken with
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
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
        for node in &self.nodes {
            let name = super::resolved(session, node).await?;
            values.push(session.client.get::<Value>(&format!("/nodes/{name}")).await?);
        }
        if !self.pretty {
            return session.line(inspect::all(self.format.as_deref(), values)?);
        }
        let pages: Result<Vec<String>> =
            values.into_iter().map(|value| Ok(page(&serde_json::from_value(value)?))).collect();
        session.line(pages?.join("\n"))
    }
}

fn page(node: &Node) -> String {
    let Node { id, created_at, spec, description, status, manager_status, .. } = node;
    let title = api::template::title;
    let mut text = format!("ID:\t\t\t{id}\n");
    if !spec.name.is_empty() {
        text.push_str(&format!("Name:\t\t\t{}\n", spec.name));
    }
    if !spec.labels.is_empty() {
        text.push_str("Labels:\n");
        for (key, value) in &spec.labels {
            text.push_str(&format!(" - {key}={value}\n"));
        }
    }
    text.push_str(&format!("Hostname:              \t{}\n", description.hostname));
    text.push_str(&format!("Joined at:             \t{created_at}\n"));
    text.push_str(&format!("Status:\n State:\t\t\t{}\n", title(&status.state)));
    if !status.message.is_empty() {
        text.push_str(&format!(" Message:\t\t{}\n", title(&status.message)));
    }
    text.push_str(&format!(" Availability:         \t{}\n", title(&spec.availability)));
    text.push_str(&format!(" Address:\t\t{}\n", status.addr));
    if let Some(manager) = manager_status {
        text.push_str(&format!("Manager Status:\n Address:\t\t{}\n", manager.addr));
        text.push_str(&format!(" Raft Status:\t\t{}\n", title(&manager.reachability)));
        text.push_str(&format!(" Leader:\t\t{}\n", if manager.leader { "Yes" } else { "No" }));
    }
    let platform = &description.platform;
    text.push_str(&format!(
        "Platform:\n Operating System:\t{}\n Architecture:\t\t{}\n",
        platform.os, platform.architecture
    ));
    let resources = &description.resources;
    text.push_str(&format!("Resources:\n CPUs:\t\t\t{}\n", resources.nano_cpus / 1_000_000_000));
    text.push_str(&format!(" Memory:\t\t{}\n", units::binary_size(resources.memory_bytes as f64)));
    text.push_str(&format!("Engine Version:\t\t{}", description.engine.engine_version));
    text
}
