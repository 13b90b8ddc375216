//! `--mode`, `--replicas` and `--max-concurrent`: how many tasks.

use anyhow::{Result, bail};
use api::service::{Global, Replicated, ReplicatedJob, ServiceMode, ServiceSpec};
use clap::Args;

/// How many tasks.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
pub(crate) struct Replicas {
    /// How many tasks
    #[arg(long, value_name = "COUNT")]
    replicas: Option<u64>,
    /// At most so many tasks on one node; 0 means without limit
    #[arg(long, value_name = "COUNT")]
    replicas_max_per_node: Option<u64>,
    /// How many tasks of a job at once; as many as --replicas if not given
    #[arg(long, value_name = "COUNT")]
    max_concurrent: Option<u64>,
}

impl Replicas {
    /// The mode of a new service, by its word.
    pub(crate) fn mode(self, word: &str) -> Result<ServiceMode> {
        let Self { replicas, replicas_max_per_node, max_concurrent } = self;
        let mut mode = ServiceMode::default();
        match word {
            "replicated" => mode.replicated = Some(Replicated { replicas }),
            "replicated-job" => {
                let job = ReplicatedJob {
                    max_concurrent: max_concurrent.or(replicas),
                    total_completions: replicas,
                };
                mode.replicated_job = Some(job);
            }
            "global" => mode.global = Some(Global {}),
            "global-job" => mode.global_job = Some(Global {}),
            other => bail!("Unknown mode: {other}, only replicated and global supported"),
        }
        if word.starts_with("global") && replicas.is_some() {
            bail!("replicas can only be used with replicated or replicated-job mode");
        }
        if word.starts_with("global") && replicas_max_per_node.is_some_and(|max| max > 0) {
            bail!("replicas-max-per-node can only be used with replicated or replicated-job mode");
        }
        if word != "replicated-job" && max_concurrent.is_some() {
            bail!("max-concurrent can only be used with replicated-job mode");
        }
        Ok(mode)
    }

    /// Writes how many of one node may run.
    pub(crate) fn limit(self, spec: &mut ServiceSpec) {
        if let Some(max) = self.replicas_max_per_node {
            spec.task_template.placement.get_or_insert_default().max_replicas = max;
        }
    }

    /// Changes how many tasks an existing service has.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) -> Result<()> {
        if let Some(replicas) = self.replicas {
            scale(&mut spec.mode, replicas, "replicas")?;
        }
        if let Some(max) = self.max_concurrent {
            match &mut spec.mode.replicated_job {
                Some(job) => job.max_concurrent = Some(max),
                None => bail!("update --max-concurrent is only valid for replicated-job services"),
            }
        }
        self.limit(spec);
        Ok(())
    }
}

/// Sets how many tasks a service has; `what` is the word that asked for it.
pub(crate) fn scale(mode: &mut ServiceMode, replicas: u64, what: &str) -> Result<()> {
    match mode {
        ServiceMode { replicated: Some(replicated), .. } => replicated.replicas = Some(replicas),
        ServiceMode { replicated_job: Some(job), .. } => job.total_completions = Some(replicas),
        _ => bail!("{what} can only be used with replicated or replicated-job mode"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_takes_what_fits() {
        let words = |replicas, replicas_max_per_node, max_concurrent| Replicas {
            replicas,
            replicas_max_per_node,
            max_concurrent,
        };
        let job = words(Some(3), None, Some(2)).mode("replicated-job").unwrap().replicated_job.unwrap();
        assert_eq!((job.max_concurrent, job.total_completions), (Some(2), Some(3)));
        for (mode, words, rule) in [
            ("foo", words(None, None, None), "Unknown mode: foo, only replicated and global supported"),
            (
                "global",
                words(Some(2), None, None),
                "replicas can only be used with replicated or replicated-job mode",
            ),
            (
                "global-job",
                words(None, Some(1), None),
                "replicas-max-per-node can only be used with replicated or replicated-job mode",
            ),
            (
                "replicated",
                words(None, None, Some(2)),
                "max-concurrent can only be used with replicated-job mode",
            ),
        ] {
            assert_eq!(words.mode(mode).unwrap_err().to_string(), rule);
        }
    }
}
