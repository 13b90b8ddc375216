//! What every `prune` takes: a question first, filters, and how much came free.

use anyhow::Result;
use api::filter::Filters;
use clap::Args;
use serde::de::DeserializeOwned;

use crate::options::values::filter;
use crate::output::units;
use crate::session::{Session, filters, with_filters};

/// How things that nobody uses are removed.
#[derive(Debug, Args)]
pub(crate) struct Pruning {
    /// Only those that fit, KEY=VALUE; may be given several times
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Vec<String>,
    /// Do not ask first
    #[arg(short, long)]
    force: bool,
}

impl Pruning {
    /// True if nobody minds.
    pub(crate) fn is_wanted(&self, session: &mut Session, warning: &str) -> Result<bool> {
        Ok(self.force || session.confirm(&format!("WARNING! {warning}"))?)
    }

    /// Removes those that fit, and tells which they were; `more` are filters beyond what was typed.
    pub(crate) async fn remove<T: DeserializeOwned>(
        &self,
        session: &Session,
        path: &str,
        more: &[(&str, &str)],
    ) -> Result<T> {
        let mut chosen: Filters = filters(&self.filter);
        for (key, value) in more {
            chosen.add(*key, *value);
        }
        Ok(session.client.post(&with_filters(path, &chosen), &()).await?)
    }
}

/// Shows what is gone, if anything is.
pub(crate) fn show(session: &mut Session, what: &str, gone: &[String]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    session.line(format_args!("Deleted {what}:"))?;
    gone.iter().try_for_each(|one| session.line(one))?;
    session.line("")
}

/// Says how much came free.
pub(crate) fn reclaimed(session: &mut Session, bytes: u64) -> Result<()> {
    session.line(format_args!("Total reclaimed space: {}", units::long_size(bytes as f64)))
}
