//! `skep system …`, `info` and `version`: the daemon itself.

pub(crate) mod events;
pub(crate) mod info;
mod prune;
mod usage;

use anyhow::Result;
use api::ApiVersion;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::output::inspect;
use crate::session::Session;

/// Manage the daemon
#[derive(Debug, Subcommand)]
pub(crate) enum System {
    /// Ask whether the daemon answers
    #[command(after_help = "Example:\n  skep system ping")]
    Ping,
    /// Show what the daemon is and has
    Info(info::Info),
    /// Show what lies on the disk
    Df(usage::Usage),
    /// Show what happens, as it happens
    Events(events::Events),
    /// Remove everything that nobody uses
    Prune(prune::Prune),
}

impl System {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ping => {
                session.client.send(hyper::Method::GET, "/_ping", Vec::new()).await?;
                session.line("OK")
            }
            Self::Info(command) => command.run(session).await,
            Self::Df(command) => command.run(session).await,
            Self::Events(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
        }
    }
}

/// Show the versions of this program and of the daemon
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep version --format '{{.Server.Version}}'")]
pub(crate) struct Version {
    /// Show it by a template, or as `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Version {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let server: Value = session.client.get("/version").await?;
        let spoken = session.client.version().await?;
        let client = serde_json::json!({
            "Version": env!("CARGO_PKG_VERSION"), "ApiVersion": spoken.to_string(),
            "DefaultAPIVersion": ApiVersion::MAX.to_string(), "Os": "linux",
        });
        if let Some(format) = self.format {
            return session
                .line(inspect::one(&format, &serde_json::json!({"Client": client, "Server": server}))?);
        }
        let text = |key: &str| server.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        session.line(format_args!("Client: skep\n Version:     {}", env!("CARGO_PKG_VERSION")))?;
        let downgraded = if spoken == ApiVersion::MAX {
            String::new()
        } else {
            format!(" (downgraded from {})", ApiVersion::MAX)
        };
        session.line(format_args!(" API version: {spoken}{downgraded}\n"))?;
        session.line(format_args!("Server:\n Version:     {}", text("Version")))?;
        session.line(format_args!(
            " API version: {} (minimum version {})",
            text("ApiVersion"),
            text("MinAPIVersion")
        ))
    }
}
