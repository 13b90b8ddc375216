//! `skep image …`: the images of one host.

mod archive;
mod history;
mod inspect;
pub(crate) mod list;
pub(crate) mod registry;
pub(crate) mod remove;
pub(crate) mod row;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::session::{Session, escaped};

/// What is done to images; also without the word `image` before it.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Fetch an image from a registry
    Pull(registry::Pull),
    /// Send an image to a registry
    Push(registry::Push),
    /// Take in images from an archive
    Load(archive::Load),
    /// Make an image of a root file system in an archive
    Import(archive::Import),
    /// Write images into an archive
    Save(archive::Save),
    /// Give an image one more name
    Tag(Tag),
    /// Show the steps that made an image
    History(history::History),
}

impl Verb {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Pull(command) => command.run(session).await,
            Self::Push(command) => command.run(session).await,
            Self::Load(command) => command.run(session).await,
            Self::Import(command) => command.run(session).await,
            Self::Save(command) => command.run(session).await,
            Self::Tag(command) => command.run(session).await,
            Self::History(command) => command.run(session).await,
        }
    }
}

/// Manage images
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// List images
    #[command(visible_alias = "list")]
    Ls(list::List),
    /// Show everything about images
    Inspect(inspect::Inspect),
    /// Remove images
    #[command(visible_alias = "remove")]
    Rm(remove::Remove),
    /// Remove images that nothing uses
    Prune(remove::Prune),
    #[command(flatten)]
    Verb(Verb),
}

impl Image {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ls(command) => command.run(session).await,
            Self::Inspect(command) => command.run(session).await,
            Self::Rm(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
            Self::Verb(command) => command.run(session).await,
        }
    }
}

/// Give an image one more name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep tag web:1 registry.example.com/web:1")]
pub(crate) struct Tag {
    /// Which
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// The new name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

impl Tag {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let (repo, tag) = split(&self.target);
        let path = format!("/images/{}/tag?repo={}&tag={}", self.source, escaped(repo), escaped(tag));
        Ok(session.client.order(&path).await?)
    }
}

/// A name and its tag; a colon before a slash is a port's.
pub(crate) fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repo, tag)) if !tag.contains('/') && !name.contains('@') => (repo, tag),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stands_behind_the_last_colon() {
        for (name, expected) in [
            ("web", ("web", "")),
            ("web:1", ("web", "1")),
            ("host:5000/web", ("host:5000/web", "")),
            ("host:5000/web:1", ("host:5000/web", "1")),
            ("web@sha256:00", ("web@sha256:00", "")),
        ] {
            assert_eq!(split(name), expected);
        }
    }
}
