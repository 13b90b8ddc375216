//! `skep swarm update`, and the settings that `init` takes too.

use std::str::FromStr;

use anyhow::{Result, anyhow};
use api::swarm::{ExternalCa, Swarm, SwarmSpec};
use clap::Args;
use model::Duration;

use super::token::show_key;
use crate::options::values::fields;
use crate::session::Session;

/// Settings of the swarm; only those that are given change.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// How long nodes' certificates are valid, such as 2160h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    cert_expiry: Option<Duration>,
    /// Who else signs certificates: protocol=cfssl,url=…,cacert=FILE; may be given several times
    #[arg(long, value_name = "SIGNER")]
    external_ca: Vec<ExternalCaWord>,
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
        if let Some(expiry) = self.cert_expiry {
            spec.ca_config.node_cert_expiry = nanos(expiry)?;
        }
        if !self.external_ca.is_empty() {
            let signers = self.external_ca.iter().map(|ExternalCaWord(ca)| ca.clone());
            spec.ca_config.external_cas = signers.collect();
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
        session.line("Swarm updated.")?;
        if self.autolock == Some(true) {
            show_key(session).await?;
        }
        Ok(())
    }
}

/// A signer outside of the swarm, as its word says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalCaWord(pub(crate) ExternalCa);

impl FromStr for ExternalCaWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut signer = ExternalCa::default();
        for (key, value) in fields(text) {
            let Some(value) = value else {
                return Err(format!("invalid field '{key}' must be a key=value pair"));
            };
            match key.as_str() {
                "protocol" if value.eq_ignore_ascii_case("cfssl") => signer.protocol = "cfssl".to_owned(),
                "protocol" => return Err(format!("unrecognized external CA protocol {value}")),
                "url" => signer.url = value,
                "cacert" => {
                    signer.ca_cert = std::fs::read_to_string(&value).map_err(|error| {
                        format!("unable to read CA cert for external CA: {value}: {error}")
                    })?;
                }
                _ => drop(signer.options.insert(key, value)),
            }
        }
        if signer.protocol.is_empty() {
            return Err("the external-ca option needs a protocol= parameter".to_owned());
        }
        if signer.url.is_empty() {
            return Err("the external-ca option needs a url= parameter".to_owned());
        }
        Ok(Self(signer))
    }
}

/// A duration as the API has it.
pub(crate) fn nanos(duration: Duration) -> Result<i64> {
    i64::try_from(duration.as_nanos()).map_err(|_| anyhow!("the duration is too long"))
}

/// A duration in words: `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    api::time::words(text)
        .ok_or_else(|| format!("\"{text}\" is no duration; write it like 1h30m, 10s or 200ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_has_a_protocol_and_a_place() {
        let ExternalCaWord(signer) = "protocol=CFSSL,url=https://ca,profile=x".parse().unwrap();
        assert_eq!((signer.protocol.as_str(), signer.url.as_str()), ("cfssl", "https://ca"));
        assert_eq!(signer.options["profile"], "x");
        for (text, rule) in [
            ("url=https://ca", "the external-ca option needs a protocol= parameter"),
            ("protocol=cfssl", "the external-ca option needs a url= parameter"),
            ("protocol=x,url=y", "unrecognized external CA protocol x"),
            ("foo", "invalid field 'foo' must be a key=value pair"),
        ] {
            assert_eq!(text.parse::<ExternalCaWord>().unwrap_err(), rule, "{text}");
        }
        let lost = "protocol=cfssl,url=y,cacert=/nonexistent".parse::<ExternalCaWord>().unwrap_err();
        assert!(lost.starts_with("unable to read CA cert for external CA: /nonexistent"), "{lost}");
    }
}
