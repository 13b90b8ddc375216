//! `skep stack …`: services, networks, secrets and configs that belong together.

mod deploy;
mod list;
mod remove;

use anyhow::{Result, bail};
use api::filter::Filters;
use api::service::Service;
use clap::{Args, Subcommand};

use super::listing::Listing;
use super::service::list as services;
use super::tasks::{Ids, TaskOptions};
use crate::compose::{Filling, NAMESPACE, load};
use crate::session::{Session, filters};

/// Manage stacks
#[derive(Debug, Subcommand)]
pub(crate) enum Stack {
    /// Make a stack out of compose files, or change it to what they say now
    #[command(visible_alias = "up")]
    Deploy(deploy::Deploy),
    /// List stacks
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// List the tasks of a stack
    Ps(Tasks),
    /// List the services of a stack
    Services(Services),
    /// Remove stacks
    #[command(visible_aliases = ["remove", "down"])]
    Rm(remove::Remove),
    /// Show what compose files say together
    Config(Config),
}

impl Stack {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Deploy(command) => command.run(session).await,
            Self::Ls(command) => command.run(session).await,
            Self::Ps(command) => command.run(session).await,
            Self::Services(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
            Self::Config(command) => command.run(session),
        }
    }
}

/// The label that all of a stack has.
fn label(stack: &str) -> String {
    format!("{NAMESPACE}={stack}")
}

/// Asks for what belongs to a stack.
async fn of<T: serde::de::DeserializeOwned>(session: &Session, path: &str, stack: &str) -> Result<T> {
    let mut filters = Filters::default();
    filters.add("label", label(stack));
    Ok(session.client.get(&crate::session::with_filters(path, &filters)).await?)
}

/// List the tasks of a stack
#[derive(Debug, Args)]
#[command(after_help = "Filters: desired-state, id, name, node\n\nExample:\n  skep stack ps shop")]
pub(crate) struct Tasks {
    /// Which
    stack: String,
    #[command(flatten)]
    options: TaskOptions,
}

impl Tasks {
    async fn run(self, session: &mut Session) -> Result<()> {
        let services: Vec<Service> = of(session, "/services", &self.stack).await?;
        if services.is_empty() {
            bail!("nothing found in stack: {}", self.stack);
        }
        let mut filters = filters(&self.options.listing.filter);
        services.iter().for_each(|service| filters.add("service", service.id.clone()));
        self.options.show(session, &filters, Ids::Whole).await
    }
}

/// List the services of a stack
#[derive(Debug, Args)]
#[command(after_help = "Filters: id, label, name\n\nExample:\n  skep stack services shop")]
pub(crate) struct Services {
    /// Which
    stack: String,
    #[command(flatten)]
    listing: Listing,
}

impl Services {
    async fn run(self, session: &mut Session) -> Result<()> {
        let Self { stack, mut listing } = self;
        listing.filter.push(format!("label={}", label(&stack)));
        let found = services::ask(session, &listing).await?;
        if found.is_empty() {
            eprintln!("Nothing found in stack: {stack}");
            return Ok(());
        }
        services::show(session, &listing, &found)
    }
}

/// Compose files.
#[derive(Debug, Args)]
struct Files {
    /// A compose file, or - for standard input; later ones go over earlier ones
    #[arg(short, long = "compose-file", value_name = "FILE", value_delimiter = ',')]
    compose_file: Vec<String>,
}

/// Show what compose files say together
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep stack config -c compose.yml -c production.yml")]
pub(crate) struct Config {
    #[command(flatten)]
    files: Files,
    /// Leave variables as they stand
    #[arg(long)]
    skip_interpolation: bool,
}

impl Config {
    fn run(self, session: &mut Session) -> Result<()> {
        let filling = if self.skip_interpolation { Filling::Skipped } else { Filling::Wished };
        let project = load(&self.files.compose_file, filling)?;
        project.read()?;
        // JSON is YAML too, and says the same to every reader.
        session.line(serde_json::to_string_pretty(&project.tree)?)
    }
}
