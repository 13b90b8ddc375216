//! Tasks in a table: the same for services, nodes and stacks.
//!
//! Newest first within a slot; older ones of the same slot hang below it with ` \_ `.

use anyhow::Result;
use api::filter::Filters;
use api::task::Task;
use clap::Args;
use model::Timestamp;
use serde_json::Value;

use crate::output::format::{Column, Format, Row};
use crate::output::units;
use crate::session::{Named, Session, now, short, with_filters};

/// How tasks are listed.
#[derive(Debug, Args)]
pub(crate) struct TaskOptions {
    /// Only tasks that fit, KEY=VALUE: id, name, node, desired-state, label
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show ids instead of names
    #[arg(long)]
    no_resolve: bool,
    /// Show whole ids and errors
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const FORMAT: Format = Format {
    plain: &["ID", "Name", "Image", "Node", "DesiredState", "CurrentState", "Error", "Ports"],
    columns: &[
        Column { field: "ID", head: "ID" },
        Column { field: "Name", head: "NAME" },
        Column { field: "Image", head: "IMAGE" },
        Column { field: "Node", head: "NODE" },
        Column { field: "DesiredState", head: "DESIRED STATE" },
        Column { field: "CurrentState", head: "CURRENT STATE" },
        Column { field: "Error", head: "ERROR" },
        Column { field: "Ports", head: "PORTS" },
    ],
};

/// How ids are shown when nothing else is: services' tasks whole, nodes' short, as docker's CLI has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// All letters.
    Whole,
    /// The first letters, unless all are wished.
    Short,
}

impl TaskOptions {
    /// Asks for the tasks that fit, and shows them.
    pub(crate) async fn show(&self, session: &mut Session, filters: &Filters, ids: Ids) -> Result<()> {
        let tasks: Vec<Task> = session.client.get(&with_filters("/tasks", filters)).await?;
        let tasks = self.sorted(session, tasks).await?;
        if self.quiet {
            for (_, task) in &tasks {
                let whole = self.no_trunc || ids == Ids::Whole;
                session.line(if whole { task.id.clone() } else { short(&task.id) })?;
            }
            return Ok(());
        }
        let mut rows = Vec::new();
        let mut previous = String::new();
        for (mut name, task) in tasks {
            if name == previous {
                name = format!(" \\_ {name}");
            } else {
                previous.clone_from(&name);
            }
            rows.push(self.row(session, &task, name).await?);
        }
        FORMAT.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }

    /// The tasks with their names: by service, slot and node; within them the newest first.
    async fn sorted(&self, session: &mut Session, tasks: Vec<Task>) -> Result<Vec<(String, Task)>> {
        let mut named = Vec::new();
        for task in tasks {
            named.push((self.task_name(session, &task).await?, task));
        }
        let service = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        named.sort_by(|(name, task), (other_name, other)| {
            let place = (service(name), task.slot, name);
            place
                .cmp(&(service(other_name), other.slot, other_name))
                .then(other.created_at.0.cmp(&task.created_at.0))
        });
        Ok(named)
    }

    /// `web.1`, or with the node's id for global services; ids instead of names if they are wished.
    async fn task_name(&self, session: &mut Session, task: &Task) -> Result<String> {
        let service = match self.no_resolve {
            true => task.service_id.clone(),
            false => session.name_of(Named::Service, &task.service_id).await?,
        };
        Ok(match task.slot {
            0 => format!("{service}.{}", task.node_id),
            slot => format!("{service}.{slot}"),
        })
    }

    async fn row(&self, session: &mut Session, task: &Task, name: String) -> Result<Row> {
        let node = match self.no_resolve {
            true => task.node_id.clone(),
            false => session.name_of(Named::Node, &task.node_id).await?,
        };
        let image = task.spec.container_spec.as_ref().map(|spec| spec.image.clone()).unwrap_or_default();
        let cells = [
            ("ID", if self.no_trunc { task.id.clone() } else { short(&task.id) }),
            ("Name", name),
            ("Image", if self.no_trunc { image } else { without_digest(&image) }),
            ("Node", node),
            ("DesiredState", capital(&task.desired_state)),
            ("CurrentState", state(task, now())),
            ("Error", error(task, self.no_trunc)),
            ("Ports", ports(task)),
        ];
        Ok(cells.into_iter().map(|(field, text)| (field.to_owned(), Value::String(text))).collect())
    }
}

fn state(task: &Task, now: Timestamp) -> String {
    let since = task.status.timestamp.0.unwrap_or(now);
    format!("{} {} ago", capital(&task.status.state), units::span(now.since(since)).to_lowercase())
}

fn error(task: &Task, whole: bool) -> String {
    const LETTERS: usize = 30;
    let error = &task.status.err;
    if error.is_empty() {
        return String::new();
    }
    if whole || error.chars().count() <= LETTERS {
        return format!("\"{error}\"");
    }
    format!("\"{}…\"", error.chars().take(LETTERS - 1).collect::<String>())
}

fn ports(task: &Task) -> String {
    let port = |port: &api::spec::endpoint::PortConfig| {
        format!("*:{}->{}/{}", port.published_port, port.target_port, port.protocol)
    };
    task.status.port_status.ports.iter().map(port).collect::<Vec<_>>().join(",")
}

fn without_digest(image: &str) -> String {
    image.split('@').next().unwrap_or(image).to_owned()
}

fn capital(word: &str) -> String {
    api::template::title(word)
}
