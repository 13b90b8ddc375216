//! Flags that each set one thing of a task's container.

use anyhow::Result;
use api::service::ServiceSpec;
use api::spec::privileges::CredentialSpec;
use clap::Args;

use super::values::{duration, pairs, words};

/// Flags that each set one thing of a task's container.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Container {
    /// Credential spec of a managed account (Windows only): config://…, file://… or registry://…
    #[arg(long, value_name = "SPEC", value_parser = credential)]
    credential_spec: Option<CredentialSpec>,
    /// How the service is found: vip, dnsrr
    #[arg(long, value_name = "WORD")]
    endpoint_mode: Option<String>,
    /// Run this instead of what the image says
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    entrypoint: Option<Words>,
    /// Name of the containers' machine
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Run an init that forwards signals and reaps processes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    init: Option<bool>,
    /// How containers are kept apart (Windows only)
    #[arg(long, value_name = "WORD")]
    isolation: Option<String>,
    /// Where output goes
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// An option of the log driver, KEY=VALUE; may be given several times
    #[arg(long, value_name = "OPTION")]
    log_opt: Vec<String>,
    /// How likely it is killed when memory is short, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    oom_score_adj: Option<i64>,
    /// The container's root cannot be written to
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<bool>,
    /// Time to stop before it is killed
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    stop_grace_period: Option<i64>,
    /// The signal that asks it to stop
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Give it a terminal
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tty: Option<bool>,
    /// Who runs it, NAME or UID[:GROUP or GID]
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Where it starts
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
}

/// The words of a command line, given as one.
#[derive(Clone, Debug)]
pub(crate) struct Words(pub(crate) Vec<String>);

/// Reads a command line that is given as one word.
pub(crate) fn command(text: &str) -> Result<Words, String> {
    words(text).map(Words)
}

fn credential(text: &str) -> Result<CredentialSpec, String> {
    let mut spec = CredentialSpec::default();
    match text.split_once("://") {
        Some(("config", name)) => name.clone_into(&mut spec.config),
        Some(("file", name)) => name.clone_into(&mut spec.file),
        Some(("registry", name)) => name.clone_into(&mut spec.registry),
        _ => {
            return Err("invalid credential spec: value must be prefixed with \"config://\", \"file://\", or \"registry://\"".to_owned());
        }
    }
    Ok(spec)
}

impl Container {
    /// Writes what is given into the spec.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) {
        let Self {
            credential_spec,
            endpoint_mode,
            entrypoint,
            hostname,
            init,
            isolation,
            log_driver,
            log_opt,
            oom_score_adj,
            read_only,
            stop_grace_period,
            stop_signal,
            tty,
            user,
            workdir,
        } = self;
        if let Some(mode) = endpoint_mode {
            spec.endpoint_spec.get_or_insert_default().mode = mode;
        }
        if let Some(name) = log_driver {
            spec.task_template.log_driver = Some(api::meta::DriverConfig { name, options: pairs(&log_opt) });
        }
        let container = spec.task_template.container_spec.get_or_insert_default();
        if let Some(credential) = credential_spec {
            container.privileges.get_or_insert_default().credential_spec = Some(credential);
        }
        if let Some(Words(command)) = entrypoint {
            container.command = command;
        }
        let set = |to: &mut String, value: Option<String>| {
            if let Some(value) = value {
                *to = value;
            }
        };
        set(&mut container.hostname, hostname);
        set(&mut container.isolation, isolation);
        set(&mut container.stop_signal, stop_signal);
        set(&mut container.user, user);
        set(&mut container.dir, workdir);
        container.init = init.or(container.init);
        container.oom_score_adj = oom_score_adj.unwrap_or(container.oom_score_adj);
        container.read_only = read_only.unwrap_or(container.read_only);
        container.stop_grace_period = stop_grace_period.or(container.stop_grace_period);
        container.tty = tty.unwrap_or(container.tty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_spec_says_where_it_is() {
        assert_eq!(credential("file://x").unwrap().file, "x");
        assert!(credential("foo").unwrap_err().contains("must be prefixed with"));
    }
}
