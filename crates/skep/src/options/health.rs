//! `--health-…` and `--no-healthcheck`: how to tell whether a container is well.

use anyhow::{Result, bail};
use api::spec::container::HealthConfig;
use clap::Args;

use super::values::duration;

/// How to tell whether a container is well.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Health {
    /// Command that says whether the container is well
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between checks
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    health_interval: Option<i64>,
    /// So many failures in a row mean unhealthy
    #[arg(long, value_name = "COUNT")]
    health_retries: Option<i32>,
    /// Time between checks while the container starts
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    health_start_interval: Option<i64>,
    /// Time to start, in which failures do not count
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    health_start_period: Option<i64>,
    /// How long one check may take
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    health_timeout: Option<i64>,
    /// Do not check at all, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
}

impl Health {
    /// Writes what is given over what there is.
    pub(crate) fn apply(self, to: &mut Option<HealthConfig>) -> Result<()> {
        let Self {
            health_cmd,
            health_interval,
            health_retries,
            health_start_interval,
            health_start_period,
            health_timeout,
            no_healthcheck,
        } = self;
        let times = [health_interval, health_start_interval, health_start_period, health_timeout];
        let is_given = health_cmd.is_some() || health_retries.is_some() || times.iter().any(Option::is_some);
        if no_healthcheck {
            if is_given {
                bail!("--no-healthcheck conflicts with --health-* options");
            }
            let none = vec!["NONE".to_owned()];
            *to = Some(HealthConfig { test: none, ..HealthConfig::default() });
            return Ok(());
        }
        if !is_given {
            return Ok(());
        }
        let check = to.get_or_insert_default();
        if let Some(command) = health_cmd {
            check.test = vec!["CMD-SHELL".to_owned(), command];
        } else if check.test.first().is_some_and(|word| word == "NONE") {
            check.test.clear();
        }
        let set = |to: &mut i64, value: Option<i64>| *to = value.unwrap_or(*to);
        set(&mut check.interval, health_interval);
        set(&mut check.start_interval, health_start_interval);
        set(&mut check.start_period, health_start_period);
        set(&mut check.timeout, health_timeout);
        check.retries = health_retries.unwrap_or(check.retries);
        Ok(())
    }
}
