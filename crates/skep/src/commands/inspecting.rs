//! What every `inspect` takes, and how it goes on when one of several things is not there.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use crate::output::inspect;
use crate::session::Session;

/// How things are shown whole.
#[derive(Debug, Args)]
pub(crate) struct Inspecting {
    /// Show them by a template, or as `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) format: Option<String>,
}

impl Inspecting {
    /// Shows those that are there; then fails if one was not.
    pub(crate) async fn show<F>(&self, session: &mut Session, things: &[String], ask: F) -> Result<()>
    where
        F: AsyncFn(&Session, &str) -> Result<Value>,
    {
        let Asked { values, failures } = Asked::of(session, things, ask).await;
        // A template has nothing to say about nothing.
        if !values.is_empty() || self.format.is_none() {
            session.line(inspect::all(self.format.as_deref(), values)?)?;
        }
        ended(&failures)
    }
}

/// The same, for things that also have a page for people.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    #[command(flatten)]
    inspecting: Inspecting,
    /// Show what people want to know
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
}

impl Paging {
    /// Shows those that are there, as JSON or a page for each; then fails if one was not.
    pub(crate) async fn show<F, P>(
        &self,
        session: &mut Session,
        things: &[String],
        ask: F,
        page: P,
    ) -> Result<()>
    where
        F: AsyncFn(&Session, &str) -> Result<Value>,
        P: AsyncFn(&mut Session, Value) -> Result<String>,
    {
        if !self.pretty {
            return self.inspecting.show(session, things, ask).await;
        }
        let Asked { values, failures } = Asked::of(session, things, ask).await;
        for value in values {
            let page = page(session, value).await?;
            session.line(page)?;
        }
        ended(&failures)
    }
}

/// What was there, and why the rest was not.
struct Asked {
    values: Vec<Value>,
    failures: Vec<String>,
}

impl Asked {
    async fn of<F>(session: &Session, things: &[String], ask: F) -> Self
    where
        F: AsyncFn(&Session, &str) -> Result<Value>,
    {
        let mut asked = Self { values: Vec::new(), failures: Vec::new() };
        for thing in things {
            match ask(session, thing).await {
                Ok(value) => asked.values.push(value),
                Err(error) => asked.failures.push(format!("{error:#}")),
            }
        }
        asked
    }
}

fn ended(failures: &[String]) -> Result<()> {
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
}
