//! `skep image inspect` and `history`.

use anyhow::Result;
use api::image::HistoryItem;
use clap::Args;
use serde_json::Value;

use crate::output::format::{Column, Format, Row};
use crate::output::{inspect, units};
use crate::session::{Session, short};

/// Show everything about images
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image inspect --format '{{.Id}}' web:1")]
pub(crate) struct Inspect {
    /// Which, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Show them by a template, or as `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut values = Vec::new();
        for image in &self.images {
            values.push(session.client.get::<Value>(&format!("/images/{image}/json")).await?);
        }
        session.line(inspect::all(self.format.as_deref(), values)?)
    }
}

/// Show the steps that made an image
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Which, by name or id
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const FORMAT: Format = Format {
    plain: &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
    columns: &[
        Column { field: "ID", head: "IMAGE" },
        Column { field: "CreatedSince", head: "CREATED" },
        Column { field: "CreatedAt", head: "CREATED AT" },
        Column { field: "CreatedBy", head: "CREATED BY" },
        Column { field: "Size", head: "SIZE" },
        Column { field: "Comment", head: "COMMENT" },
    ],
};

impl History {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = format!("/images/{}/history", self.image);
        let items: Vec<HistoryItem> = session.client.get(&path).await?;
        let id = |item: &HistoryItem| if self.no_trunc { item.id.clone() } else { short(&item.id) };
        if self.quiet {
            return items.iter().try_for_each(|item| session.line(id(item)));
        }
        let row = |item: &HistoryItem| -> Row {
            let command = item.created_by.replace('\t', " ");
            let cells = [
                ("ID", id(item)),
                ("CreatedSince", units::ago(item.created)),
                ("CreatedAt", units::moment(item.created)),
                ("CreatedBy", if self.no_trunc { command } else { units::ellipsis(&command, 45) }),
                ("Size", units::size(item.size as f64)),
                ("Comment", item.comment.clone()),
            ];
            cells.into_iter().map(|(field, text)| (field.to_owned(), Value::String(text))).collect()
        };
        let rows: Vec<Row> = items.iter().map(row).collect();
        FORMAT.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }
}
