//! What every `ls` takes: filters, a format, ids only.

use anyhow::Result;
use clap::Args;
use serde::de::DeserializeOwned;

use crate::options::values::filter;
use crate::output::format::{Format, Row};
use crate::session::{Session, filters, with_filters};

/// How things are listed.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Only those that fit, KEY=VALUE; may be given several times
    #[arg(short, long, value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Vec<String>,
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show ids only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl Listing {
    /// Asks for those that fit.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, session: &Session, path: &str) -> Result<T> {
        let path = with_filters(path, &filters(&self.filter));
        Ok(session.client.get(&path).await?)
    }

    /// True if the format names this field.
    pub(crate) fn shows(&self, field: &str) -> bool {
        self.format.as_ref().is_some_and(|format| format.contains(&format!(".{field}")))
    }

    /// Shows rows as they were asked for.
    pub(crate) fn show(&self, session: &mut Session, format: &Format, rows: &[Row]) -> Result<()> {
        match self.format.as_deref() {
            None | Some("" | "table") if self.quiet => format.write_keys(&mut session.out, rows)?,
            wish => format.write(&mut session.out, wish, rows)?,
        }
        Ok(())
    }
}
