//! `skep stack ls`.

use std::collections::BTreeMap;

use anyhow::Result;
use api::filter::Filters;
use api::service::Service;
use clap::Args;

use crate::compose::NAMESPACE;
use crate::output::format::{Column, Format, Row, row};
use crate::session::{Session, with_filters};

/// List stacks
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep stack ls --format '{{.Name}}: {{.Services}}'")]
pub(crate) struct List {
    /// Show them by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

const FORMAT: Format = Format {
    key: "Name",
    plain: &["Name", "Services"],
    columns: &[Column { field: "Name", head: "NAME" }, Column { field: "Services", head: "SERVICES" }],
};

impl List {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut filters = Filters::default();
        filters.add("label", NAMESPACE);
        let services: Vec<Service> = session.client.get(&with_filters("/services", &filters)).await?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for stack in services.iter().filter_map(|service| service.spec.labels.get(NAMESPACE)) {
            *counts.entry(stack).or_default() += 1;
        }
        let line = |(name, count): (&str, usize)| {
            row([("Name", name.into()), ("Services", count.to_string().into())])
        };
        let rows: Vec<Row> = counts.into_iter().map(line).collect();
        FORMAT.write(&mut session.out, self.format.as_deref(), &rows)?;
        Ok(())
    }
}
