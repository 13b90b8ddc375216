//! `skep container inspect`.

use anyhow::Result;
use clap::Args;

use crate::commands::inspecting::Inspecting;
use crate::session::Session;

/// Show everything about containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep container inspect --format '{{.State.Pid}}' web")]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    #[command(flatten)]
    inspecting: Inspecting,
    /// Show how much they hold
    #[arg(short, long)]
    size: bool,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let ask = async |session: &Session, container: &str| {
            let path = format!("/containers/{container}/json?size={}", u8::from(self.size));
            Ok(session.client.get(&path).await?)
        };
        self.inspecting.show(session, &self.containers, ask).await
    }
}
