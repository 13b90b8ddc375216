//! `skep node update`, `promote` and `demote`.

use anyhow::{Result, bail};
use api::node::Node;
use clap::{Args, ValueEnum};

use crate::options::availability::Availability;
use crate::options::values::word;
use crate::session::Session;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Runs tasks
    Worker,
    /// Holds the book too
    Manager,
}

/// Change a node
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep node update --availability drain worker1\n  skep node update --label-add zone=north worker1"
)]
pub(crate) struct Update {
    /// Which, by id or name
    node: String,
    /// Whether it runs tasks
    #[arg(long, value_name = "WORD")]
    availability: Option<Availability>,
    /// Add or change a label, KEY=VALUE; may be given several times
    #[arg(long, value_name = "LABEL")]
    label_add: Vec<String>,
    /// Remove a label; may be given several times
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
    /// What it shall be
    #[arg(long, value_name = "WORD")]
    role: Option<Role>,
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut node: Node = session.client.get(&format!("/nodes/{}", self.node)).await?;
        let spec = &mut node.spec;
        if let Some(availability) = self.availability {
            spec.availability = word(availability);
        }
        if let Some(role) = self.role {
            spec.role = word(role);
        }
        for label in &self.label_add {
            let (key, value) = label.split_once('=').unwrap_or((label, ""));
            spec.labels.insert(key.to_owned(), value.to_owned());
        }
        for key in &self.label_rm {
            if spec.labels.remove(key).is_none() {
                bail!("key {key} doesn't exist in node's labels");
            }
        }
        send(session, &node).await?;
        session.line(self.node)
    }
}

/// Make nodes managers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep node promote worker1 worker2")]
pub(crate) struct Promote {
    /// Which, by id or name
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
}

impl Promote {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        turn(session, &self.nodes, Role::Manager).await
    }
}

/// Make managers workers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep node demote manager3")]
pub(crate) struct Demote {
    /// Which, by id or name
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
}

impl Demote {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        turn(session, &self.nodes, Role::Worker).await
    }
}

async fn turn(session: &mut Session, nodes: &[String], role: Role) -> Result<()> {
    for name in nodes {
        let mut node: Node = session.client.get(&format!("/nodes/{name}")).await?;
        if node.spec.role == word(role) {
            session.line(format_args!("Node {name} is already a {}.", word(role)))?;
            continue;
        }
        node.spec.role = word(role);
        send(session, &node).await?;
        match role {
            Role::Manager => session.line(format_args!("Node {name} promoted to a manager in the swarm."))?,
            Role::Worker => session.line(format_args!("Manager {name} demoted in the swarm."))?,
        }
    }
    Ok(())
}

async fn send(session: &Session, node: &Node) -> Result<()> {
    let path = format!("/nodes/{}/update?version={}", node.id, node.version.index);
    Ok(session.client.tell(&path, &node.spec).await?)
}
