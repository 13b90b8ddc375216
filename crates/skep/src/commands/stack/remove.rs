//! `skep stack rm`.

use anyhow::{Result, bail};
use api::config::Config;
use api::network::Network;
use api::secret::Secret;
use api::service::Service;
use api::task::Task;
use clap::Args;

use super::of;
use crate::output::progress::LOOK_PERIOD;
use crate::session::Session;

/// Remove stacks
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep stack rm --detach=false shop")]
pub(crate) struct Remove {
    /// Which
    #[arg(required = true, value_name = "STACK")]
    stacks: Vec<String>,
    /// End at once instead of waiting until all tasks are gone
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    detach: bool,
}

impl Remove {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut failures = Vec::new();
        for stack in &self.stacks {
            for (what, path, name) in things(session, stack).await? {
                session.line(format_args!("Removing {what} {name}"))?;
                if let Err(error) = session.client.delete(&path).await {
                    failures.push(format!("Failed to remove {what} {name}: {error}"));
                }
            }
            if !self.detach {
                wait(session, stack).await?;
            }
        }
        if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
    }
}

/// What belongs to a stack, in the order in which nothing that goes is needed any more.
async fn things(session: &Session, stack: &str) -> Result<Vec<(&'static str, String, String)>> {
    let mut services: Vec<Service> = of(session, "/services", stack).await?;
    services.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    let secrets: Vec<Secret> = of(session, "/secrets", stack).await?;
    let configs: Vec<Config> = of(session, "/configs", stack).await?;
    let networks: Vec<Network> = of(session, "/networks", stack).await?;
    let mut all = Vec::new();
    all.extend(services.into_iter().map(|one| ("service", format!("/services/{}", one.id), one.spec.name)));
    all.extend(secrets.into_iter().map(|one| ("secret", format!("/secrets/{}", one.id), one.spec.name)));
    all.extend(configs.into_iter().map(|one| ("config", format!("/configs/{}", one.id), one.spec.name)));
    all.extend(networks.into_iter().map(|one| ("network", format!("/networks/{}", one.id), one.name)));
    if all.is_empty() {
        eprintln!("Nothing found in stack: {stack}");
    }
    Ok(all)
}

/// Waits until no task of the stack runs any more.
async fn wait(session: &Session, stack: &str) -> Result<()> {
    const ENDED: [&str; 6] = ["complete", "shutdown", "failed", "rejected", "remove", "orphaned"];
    loop {
        let tasks: Vec<Task> = of(session, "/tasks", stack).await?;
        if tasks.iter().all(|task| ENDED.contains(&task.status.state.as_str())) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}
