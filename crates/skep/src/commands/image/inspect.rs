//! `skep image inspect`.

use anyhow::Result;
use clap::Args;

use crate::commands::inspecting::Inspecting;
use crate::session::Session;

/// Show everything about images
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image inspect --format '{{.Id}}' web:1")]
pub(crate) struct Inspect {
    /// Which, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    inspecting: Inspecting,
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let ask = async |session: &Session, image: &str| {
            Ok(session.client.get(&format!("/images/{image}/json")).await?)
        };
        self.inspecting.show(session, &self.images, ask).await
    }
}
