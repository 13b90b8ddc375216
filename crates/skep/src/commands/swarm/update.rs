//! `skep swarm update`, and the settings that `init` takes too.

use anyhow::{Result, anyhow};
use api::swarm::{Swarm, SwarmSpec};
use clap::Args;
use model::Duration;

use crate::session::Session;

/// Settings of the swarm; only those that are given change.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// How long nodes' certificates are valid, such as 2160h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    cert_expiry: Option<Duration>,
    /// How often nodes must be heard, such as 5s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    dispatcher_heartbeat: Option<Duration>,
    /// Old snapshots of the log that are kept
    #[arg(long, value_name = "NUMBER")]
    max_snapshots: Option<u64>,
    /// Entries of the log between snapshots
    #[arg(long, value_name = "NUMBER")]
    snapshot_interval: Option<u64>,
    /// Tasks that are kept for each slot
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    task_history_limit: Option<i64>,
}

impl Settings {
    /// Puts what is given over a spec.
    pub(super) fn put_into(&self, spec: &mut SwarmSpec) -> Result<()> {
        let nanos = |duration: Duration| {
            i64::try_from(duration.as_nanos()).map_err(|_| anyhow!("the duration is too long"))
        };
        if let Some(expiry) = self.cert_expiry {
            spec.ca_config.node_cert_expiry = nanos(expiry)?;
        }
        if let Some(period) = self.dispatcher_heartbeat {
            spec.dispatcher.heartbeat_period = nanos(period)?;
        }
        if self.max_snapshots.is_some() {
            spec.raft.keep_old_snapshots = self.max_snapshots;
        }
        if let Some(interval) = self.snapshot_interval {
            spec.raft.snapshot_interval = interval;
        }
        if self.task_history_limit.is_some() {
            spec.orchestration.task_history_retention_limit = self.task_history_limit;
        }
        Ok(())
    }
}

/// Change settings of the swarm
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep swarm update --cert-expiry 720h --task-history-limit 2")]
pub(crate) struct Update {
    /// Lock managers, or no longer: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    autolock: Option<bool>,
    #[command(flatten)]
    settings: Settings,
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut swarm: Swarm = session.client.get("/swarm").await?;
        self.settings.put_into(&mut swarm.spec)?;
        if let Some(autolock) = self.autolock {
            swarm.spec.encryption_config.auto_lock_managers = autolock;
        }
        let path = format!("/swarm/update?version={}", swarm.version.index);
        session.client.tell(&path, &swarm.spec).await?;
        session.line("Swarm updated.")
    }
}

/// A duration in words: `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    api::time::words(text)
        .ok_or_else(|| format!("\"{text}\" is no duration; write it like 1h30m, 10s or 200ms"))
}
