//! `skep container diff`, `export` and `commit`: what became of a container's files.

use std::path::PathBuf;

use anyhow::Result;
use api::container::Change;
use clap::Args;
use hyper::Method;

use crate::commands::image::split;
use crate::output::archive;
use crate::session::{Session, escaped};

/// Show what a container changed in its file system
#[derive(Debug, Args)]
#[command(after_help = "A stands for added, C for changed, D for deleted.\n\nExample:\n  skep diff web")]
pub(crate) struct Diff {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Diff {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = format!("/containers/{}/changes", self.container);
        let changes: Vec<Change> = session.client.get(&path).await?;
        for Change { path, kind } in changes {
            let letter = match kind {
                0 => 'C',
                1 => 'A',
                _ => 'D',
            };
            session.line(format_args!("{letter} {path}"))?;
        }
        Ok(())
    }
}

/// Write a container's file system into an archive
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep export --output web.tar web")]
pub(crate) struct Export {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Write this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        archive::check(
            self.output.as_deref(),
            "cowardly refusing to save to a terminal. Use the -o flag or redirect",
        )?;
        let path = format!("/containers/{}/export", self.container);
        let response = session.client.send(Method::GET, &path, Vec::new()).await?;
        archive::save(response, self.output.as_deref()).await
    }
}

/// Make an image of a container
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep commit --change 'CMD [\"httpd\", \"-f\"]' web web:2")]
pub(crate) struct Commit {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The name of the image
    #[arg(value_name = "REPOSITORY[:TAG]", default_value = "", hide_default_value = true)]
    name: String,
    /// Who made it
    #[arg(short, long, value_name = "NAME", default_value = "", hide_default_value = true)]
    author: String,
    /// Apply an instruction, such as `CMD ["sh"]`
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Say something about it
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    message: String,
    /// Freeze the container meanwhile
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    pause: bool,
}

impl Commit {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let (repo, tag) = split(&self.name);
        let mut path = format!(
            "/commit?container={}&repo={}&tag={}",
            escaped(&self.container),
            escaped(repo),
            escaped(tag)
        );
        path.push_str(&format!("&author={}&comment={}", escaped(&self.author), escaped(&self.message)));
        path.push_str(&format!("&pause={}", u8::from(self.pause)));
        for change in &self.change {
            path.push_str(&format!("&changes={}", escaped(change)));
        }
        let made: serde_json::Value = session.client.post(&path, &serde_json::json!({})).await?;
        session.line(made["Id"].as_str().unwrap_or_default())
    }
}
