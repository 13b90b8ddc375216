//! `skep node ls`.

use anyhow::Result;
use api::node::Node;
use api::system::Info;
use clap::Args;
use serde_json::Value;

use crate::commands::listing::Listing;
use crate::output::format::{Column, Format, Row, row};
use crate::session::Session;

/// List nodes
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: id, label, membership, name, node.label, role\n\nExample:\n  skep node ls --filter role=manager --format '{{.Hostname}} {{.Status}}'"
)]
pub(crate) struct List {
    #[command(flatten)]
    listing: Listing,
}

const FORMAT: Format = Format {
    key: "ID",
    plain: &["marked", "Hostname", "Status", "Availability", "ManagerStatus", "EngineVersion"],
    columns: &[
        Column { field: "marked", head: "ID" },
        Column { field: "ID", head: "ID" },
        Column { field: "Self", head: "SELF" },
        Column { field: "Hostname", head: "HOSTNAME" },
        Column { field: "Status", head: "STATUS" },
        Column { field: "Availability", head: "AVAILABILITY" },
        Column { field: "ManagerStatus", head: "MANAGER STATUS" },
        Column { field: "TLSStatus", head: "TLS STATUS" },
        Column { field: "EngineVersion", head: "ENGINE VERSION" },
    ],
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut nodes: Vec<Node> = self.listing.ask(session, "/nodes").await?;
        nodes.sort_by(|one, other| one.description.hostname.cmp(&other.description.hostname));
        let info: Info = session.client.get("/info").await?;
        let root = info.swarm.cluster.as_ref().map(|cluster| cluster.tls_info.clone()).unwrap_or_default();
        let rows: Vec<Row> = nodes.iter().map(|node| line(node, &info.swarm.node_id, &root)).collect();
        self.listing.show(session, &FORMAT, &rows)
    }
}

fn line(node: &Node, own_id: &str, root: &api::node::TlsInfo) -> Row {
    let is_self = node.id == own_id;
    let manager =
        node.manager_status.as_ref().map(|status| match (status.leader, status.reachability.as_str()) {
            (true, _) => "Leader".to_owned(),
            (false, word) => api::template::title(word),
        });
    let tls = &node.description.tls_info;
    let tls_status = match (tls.trust_root.is_empty(), tls == root) {
        (true, _) => "Unknown",
        (false, true) => "Ready",
        (false, false) => "Needs Rotation",
    };
    row([
        ("marked", Value::from(if is_self { format!("{} *", node.id) } else { node.id.clone() })),
        ("ID", Value::from(node.id.clone())),
        ("Self", Value::from(is_self)),
        ("Hostname", Value::from(node.description.hostname.clone())),
        ("Status", Value::from(api::template::title(&node.status.state))),
        ("Availability", Value::from(api::template::title(&node.spec.availability))),
        ("ManagerStatus", Value::from(manager.unwrap_or_default())),
        ("TLSStatus", Value::from(tls_status)),
        ("EngineVersion", Value::from(node.description.engine.engine_version.clone())),
    ])
}
