//! `skep container update`.

use anyhow::{Result, bail};
use api::container::ContainerUpdated;
use api::host_config::HostConfig;
use clap::Args;

use crate::client::Client;
use crate::options::limits::Limits;
use crate::options::policy::PolicyWord;
use crate::session::Session;

/// Change what containers may take, and when they are started again
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep update --memory 256m --memory-swap 512m --restart always web")]
pub(crate) struct Update {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    #[command(flatten)]
    limits: Limits,
    /// When they are started again after their end: no, on-failure[:COUNT], always, unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<PolicyWord>,
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.limits.is_empty() && self.restart.is_none() {
            bail!("you must provide one or more flags when using this command");
        }
        let mut wish = HostConfig::default();
        self.limits.apply(&mut wish)?;
        if let Some(PolicyWord(policy)) = self.restart {
            wish.restart_policy = policy;
        }
        let update = async |client: &Client, container: &str| {
            let updated: ContainerUpdated =
                client.post(&format!("/containers/{container}/update"), &wish).await?;
            updated.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            Ok(())
        };
        session.each(&self.containers, update).await
    }
}
