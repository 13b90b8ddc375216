//! Tasks in a table: the same for services, nodes and stacks.
//!
//! Newest first within a slot; older ones of the same slot hang below it with ` \_ `.

use anyhow::Result;
use api::filter::Filters;
use api::task::Task;
use api::template::title;
use clap::Args;
use model::Timestamp;

use crate::commands::listing::Listing;
use crate::output::format::{Column, Format, Row, row};
use crate::output::width::Width;
use crate::session::{Named, Session, now, with_filters};

/// How tasks are listed.
#[derive(Debug, Args)]
pub(crate) struct TaskOptions {
    #[command(flatten)]
    pub(crate) listing: Listing,
    /// Show ids instead of names
    #[arg(long)]
    no_resolve: bool,
    /// Show whole ids and errors
    #[arg(long)]
    no_trunc: bool,
}

const FORMAT: Format = Format {
    key: "key",
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
        let mut rows = Vec::new();
        let mut previous = String::new();
        for (mut name, task) in tasks {
            if name == previous {
                name = format!(" \\_ {name}");
            } else {
                previous.clone_from(&name);
            }
            let mut line = self.line(session, &task, name).await?;
            let key = if ids == Ids::Whole { task.id } else { self.width().id(&task.id) };
            line.insert(FORMAT.key.to_owned(), key.into());
            rows.push(line);
        }
        self.listing.show(session, &FORMAT, &rows)
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

    fn width(&self) -> Width {
        self.no_trunc.into()
    }

    async fn line(&self, session: &mut Session, task: &Task, name: String) -> Result<Row> {
        let node = match self.no_resolve {
            true => task.node_id.clone(),
            false => session.name_of(Named::Node, &task.node_id).await?,
        };
        let image = task.spec.container_spec.as_ref().map(|spec| spec.image.clone()).unwrap_or_default();
        Ok(row([
            ("ID", self.width().id(&task.id).into()),
            ("Name", name.into()),
            ("Image", if self.no_trunc { image } else { without_digest(&image) }.into()),
            ("Node", node.into()),
            ("DesiredState", title(&task.desired_state).into()),
            ("CurrentState", state(task, now()).into()),
            ("Error", error(task, self.width()).into()),
            ("Ports", ports(task).into()),
        ]))
    }
}

fn state(task: &Task, now: Timestamp) -> String {
    let since = task.status.timestamp.0.unwrap_or(now);
    format!("{} {} ago", title(&task.status.state), api::time::phrase(now.since(since)).to_lowercase())
}

fn error(task: &Task, width: Width) -> String {
    match task.status.err.as_str() {
        "" => String::new(),
        error => format!("\"{}\"", width.cut(error, 30)),
    }
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
