//! `skep image rm` and `prune`.

use anyhow::{Result, bail};
use api::image::{ImageDeleted, ImagesPruned};
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use crate::output::units;
use crate::session::{Session, filters, with_filters};

/// Remove images
#[derive(Debug, Args)]
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
        show(session, &gone)
    }
}

fn show(session: &mut Session, gone: &[ImageDeleted]) -> Result<()> {
    for ImageDeleted { untagged, deleted } in gone {
        if deleted.is_empty() {
            session.line(format_args!("Untagged: {untagged}"))?;
        } else {
            session.line(format_args!("Deleted: {deleted}"))?;
        }
    }
    Ok(())
}

/// Remove images that nothing uses
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// All that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, KEY=VALUE: until, label
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask first
    #[arg(short, long)]
    force: bool,
}

impl Prune {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let question = if self.all {
            "WARNING! This will remove all images without at least one container associated to them."
        } else {
            "WARNING! This will remove all dangling images."
        };
        if !self.force && !session.confirm(question)? {
            return Ok(());
        }
        let mut chosen = filters(&self.filter)?;
        chosen.add("dangling", if self.all { "false" } else { "true" });
        let path = with_filters("/images/prune", &chosen);
        let pruned: ImagesPruned = session.client.post(&path, &()).await?;
        if !pruned.images_deleted.is_empty() {
            session.line("Deleted Images:")?;
            show(session, &pruned.images_deleted)?;
            session.line("")?;
        }
        session.line(format_args!("Total reclaimed space: {}", units::size(pruned.space_reclaimed as f64)))
    }
}
