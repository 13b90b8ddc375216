//! `skep image rm` and `prune`.

use anyhow::{Result, bail};
use api::image::{ImageDeleted, ImagesPruned};
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use crate::commands::pruning::{Pruning, reclaimed, show};
use crate::session::Session;

/// Remove images
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep rmi web:1 web:2")]
pub(crate) struct Remove {
    /// Which, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Although they are used
    #[arg(short, long)]
    force: bool,
    /// Keep the images that these were built on
    #[arg(long)]
    no_prune: bool,
}

impl Remove {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut failures = Vec::new();
        for image in &self.images {
            if let Err(error) = self.one(session, image).await {
                failures.push(format!("{error:#}"));
            }
        }
        if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
    }

    async fn one(&self, session: &mut Session, image: &str) -> Result<()> {
        let (force, noprune) = (u8::from(self.force), u8::from(self.no_prune));
        let path = format!("/images/{image}?force={force}&noprune={noprune}");
        let answer = session.client.send(Method::DELETE, &path, Vec::new()).await?;
        let gone: Vec<ImageDeleted> = api::read(&answer.into_body().collect().await?.to_bytes())?;
        gone.iter().try_for_each(|one| session.line(line(one)))
    }
}

fn line(ImageDeleted { untagged, deleted }: &ImageDeleted) -> String {
    if deleted.is_empty() { format!("Untagged: {untagged}") } else { format!("Deleted: {deleted}") }
}

/// Remove images that nothing uses
#[derive(Debug, Args)]
#[command(after_help = "Filters: label, until\n\nExample:\n  skep image prune --all --force")]
pub(crate) struct Prune {
    /// All that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    pruning: Pruning,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let question = if self.all {
            "This will remove all images without at least one container associated to them."
        } else {
            "This will remove all dangling images."
        };
        if !self.pruning.is_wanted(session, question)? {
            return Ok(());
        }
        let bytes = prune(session, &self.pruning, self.all).await?;
        reclaimed(session, bytes)
    }
}

/// Removes them, shows which they were, and returns how many bytes came free.
pub(crate) async fn prune(session: &mut Session, pruning: &Pruning, all: bool) -> Result<u64> {
    let dangling = if all { "false" } else { "true" };
    let pruned: ImagesPruned = pruning.remove(session, "/images/prune", &[("dangling", dangling)]).await?;
    let lines: Vec<String> = pruned.images_deleted.iter().map(line).collect();
    show(session, "Images", &lines)?;
    Ok(pruned.space_reclaimed)
}
