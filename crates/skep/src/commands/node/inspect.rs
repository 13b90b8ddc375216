//! `skep node inspect`.

use anyhow::Result;
use api::node::{Node, PluginDescription, TlsInfo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;

use crate::commands::inspecting::Paging;
use crate::output::units;
use crate::session::Session;

/// Show everything about nodes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep node inspect self --pretty")]
pub(crate) struct Inspect {
    /// Which, by id or name; `self` is the one that is spoken with
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    paging: Paging,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let ask = async |session: &Session, node: &str| {
            let name = super::resolved(session, node).await?;
            Ok(session.client.get(&format!("/nodes/{name}")).await?)
        };
        let page = async |_: &mut Session, value: Value| Ok(page(&serde_json::from_value(value)?));
        self.paging.show(session, &self.nodes, ask, page).await
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
    text.push_str(&format!("Joined at:             \t{}\n", units::date(*created_at)));
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
    text.push_str(&plugins(&description.engine.plugins));
    text.push_str(&format!("Engine Version:\t\t{}\n", description.engine.engine_version));
    if !description.engine.labels.is_empty() {
        text.push_str("Engine Labels:\n");
        description
            .engine
            .labels
            .iter()
            .for_each(|(key, value)| text.push_str(&format!(" - {key}={value}\n")));
    }
    let TlsInfo { trust_root, cert_issuer_subject, cert_issuer_public_key } = &description.tls_info;
    if !trust_root.is_empty() {
        text.push_str(&format!("TLS Info:\n TrustRoot:\n{trust_root}\n"));
        text.push_str(&format!(" Issuer Subject:\t{}\n", STANDARD.encode(&cert_issuer_subject.0)));
        text.push_str(&format!(" Issuer Public Key:\t{}\n", STANDARD.encode(&cert_issuer_public_key.0)));
    }
    // The last line is ended by whoever prints the page.
    text.pop();
    text
}

/// Plugins by their kinds, in the order that docker's CLI has.
fn plugins(all: &[PluginDescription]) -> String {
    let mut kinds: Vec<&str> = all.iter().map(|plugin| plugin.r#type.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of = |kind: &str| -> Vec<&str> {
        all.iter().filter(|plugin| plugin.r#type == kind).map(|plugin| plugin.name.as_str()).collect()
    };
    let lines = kinds.iter().map(|kind| format!(" {kind}:\t\t{}\n", of(kind).join(", ")));
    if all.is_empty() { String::new() } else { format!("Plugins:\n{}", lines.collect::<String>()) }
}
