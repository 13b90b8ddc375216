//! `skep image history`.

use anyhow::Result;
use api::image::HistoryItem;
use clap::Args;

use crate::output::format::{Column, Format, Row, row};
use crate::output::units;
use crate::output::width::Width;
use crate::session::Session;

/// Show the steps that made an image
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep history --no-trunc --format '{{.CreatedBy}}' web:1")]
pub(crate) struct History {
    /// Which, by name or id
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show sizes and times as people say them
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    human: bool,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
}

const FOR_PEOPLE: Format =
    Format { key: "ID", plain: &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"], columns: COLUMNS };
const FOR_PROGRAMS: Format =
    Format { key: "ID", plain: &["ID", "CreatedAt", "CreatedBy", "Size", "Comment"], columns: COLUMNS };
const COLUMNS: &[Column] = &[
    Column { field: "ID", head: "IMAGE" },
    Column { field: "CreatedSince", head: "CREATED" },
    Column { field: "CreatedAt", head: "CREATED AT" },
    Column { field: "CreatedBy", head: "CREATED BY" },
    Column { field: "Size", head: "SIZE" },
    Column { field: "Comment", head: "COMMENT" },
];

impl History {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = format!("/images/{}/history", self.image);
        let items: Vec<HistoryItem> = session.client.get(&path).await?;
        let rows: Vec<Row> = items.iter().map(|item| self.line(item)).collect();
        let format = if self.human { FOR_PEOPLE } else { FOR_PROGRAMS };
        if self.quiet {
            format.write_keys(&mut session.out, &rows)?;
        } else {
            format.write(&mut session.out, self.format.as_deref(), &rows)?;
        }
        Ok(())
    }

    fn line(&self, item: &HistoryItem) -> Row {
        let width = Width::from(self.no_trunc);
        let at = api::Time::from(model::Timestamp::from_parts(item.created, 0)).to_string();
        let (since, size) = match self.human {
            true => (units::ago(item.created), units::size(item.size as f64)),
            false => (at.clone(), item.size.to_string()),
        };
        row([
            ("ID", width.id(&item.id).into()),
            ("CreatedSince", since.into()),
            ("CreatedAt", at.into()),
            ("CreatedBy", width.cut(&item.created_by.replace('\t', " "), 45).into()),
            ("Size", size.into()),
            ("Comment", item.comment.clone().into()),
        ])
    }
}
