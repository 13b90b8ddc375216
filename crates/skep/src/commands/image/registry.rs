//! `pull` and `push`.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clap::Args;
use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;

use crate::credentials;
use crate::output::transfer;
use crate::session::{Session, escaped};

/// Fetch an image from a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep pull registry.example.com/web:1")]
pub(crate) struct Pull {
    /// Which; the tag is `latest` if none is named
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
    /// For which platform
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// Say only what was fetched
    #[arg(short, long)]
    quiet: bool,
}

impl Pull {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let name = tagged(&self.name);
        if !self.quiet && name != self.name {
            session.line("Using default tag: latest")?;
        }
        fetch(session, &mut std::io::stdout(), &name, self.platform.as_deref(), self.quiet.into()).await?;
        session.line(full(&name))
    }
}

/// Whether progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Each step.
    Steps,
    /// Nothing but failures.
    Nothing,
}

impl From<bool> for Show {
    fn from(is_quiet: bool) -> Self {
        if is_quiet { Self::Nothing } else { Self::Steps }
    }
}

/// Fetches an image.
pub(crate) async fn fetch(
    session: &Session,
    out: &mut (impl Write + IsTerminal),
    name: &str,
    platform: Option<&str>,
    show: Show,
) -> Result<()> {
    let (repo, tag) = match name.split_once('@') {
        Some(parts) => parts,
        None => super::split(name),
    };
    let mut path = format!("/images/create?fromImage={}&tag={}", escaped(repo), escaped(tag));
    if let Some(platform) = platform {
        path.push_str(&format!("&platform={}", escaped(platform)));
    }
    let request = session.client.request(Method::POST, &path).await?;
    let request = request.header("x-registry-auth", credentials::header(repo)?);
    let response = session.client.exchange(request.body(Full::<Bytes>::default())?).await?;
    match show {
        Show::Steps => transfer::show(out, response).await,
        Show::Nothing => transfer::drain(response).await,
    }
}

/// Send an image to a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep push registry.example.com/web:1")]
pub(crate) struct Push {
    /// Which; the tag is `latest` if none is named
    #[arg(value_name = "NAME[:TAG]")]
    name: String,
    /// Say nothing of its progress
    #[arg(short, long)]
    quiet: bool,
}

impl Push {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let name = tagged(&self.name);
        let (repo, tag) = super::split(&name);
        let path = format!("/images/{repo}/push?tag={}", escaped(tag));
        let request = session.client.request(Method::POST, &path).await?;
        let request = request.header("x-registry-auth", credentials::header(repo)?);
        let response = session.client.exchange(request.body(Full::<Bytes>::default())?).await?;
        if self.quiet {
            transfer::drain(response).await?;
            return session.line(full(&name));
        }
        if name != self.name {
            session.line("Using default tag: latest")?;
        }
        transfer::show(&mut session.out, response).await
    }
}

/// The name with the tag that is meant.
pub(crate) fn tagged(name: &str) -> String {
    match super::split(name) {
        (_, "") if !name.contains('@') => format!("{name}:latest"),
        _ => name.to_owned(),
    }
}

/// The name with its registry.
fn full(name: &str) -> String {
    let registry = credentials::registry_of(name);
    match (name.starts_with(&format!("{registry}/")), name.contains('/')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("docker.io/{name}"),
        (false, false) => format!("docker.io/library/{name}"),
    }
}
