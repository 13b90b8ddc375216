//! `skep service scale`.

use anyhow::{Result, anyhow};
use api::service::{Service, ServiceUpdated};
use clap::Args;

use super::sending::{send, warn};
use crate::options::replicas::scale;
use crate::output::progress;
use crate::session::Session;

/// Change how many tasks services have
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service scale web=5 db=2")]
pub(crate) struct Scale {
    /// Which, and how many
    #[arg(required = true, value_name = "SERVICE=REPLICAS", value_parser = target)]
    targets: Vec<(String, u64)>,
    /// End at once instead of waiting until all runs
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    detach: bool,
}

fn target(text: &str) -> Result<(String, u64), String> {
    let (service, replicas) =
        text.split_once('=').ok_or_else(|| format!("invalid scale specifier '{text}'"))?;
    let replicas = replicas.parse().map_err(|_| format!("invalid replicas value {replicas}"))?;
    Ok((service.to_owned(), replicas))
}

impl Scale {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut scaled = Vec::new();
        for (name, replicas) in &self.targets {
            let found = session.client.get(&format!("/services/{name}")).await;
            let mut service: Service = found.map_err(|error| anyhow!("{name}: {error}"))?;
            scale(&mut service.spec.mode, *replicas, "scale")?;
            let path = format!("/services/{}/update?version={}", service.id, service.version.index);
            let updated: ServiceUpdated = send(session, &path, &service.spec, None).await?;
            warn(&updated.warnings);
            session.line(format_args!("{name} scaled to {replicas}"))?;
            scaled.push((service.id, name));
        }
        if self.detach {
            return Ok(());
        }
        for (service, name) in scaled {
            progress::converge(session, &service, name, progress::Show::Lines).await?;
        }
        Ok(())
    }
}
