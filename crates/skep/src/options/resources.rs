//! `--limit-…` and `--reserve-…`: what a task may take, and what it needs.

use api::spec::resources::{DiscreteResource, GenericResource};
use api::spec::task::TaskTemplate;
use clap::Args;

use super::values::{bytes, bytes_or_unbound, cpus};

/// What a task may take, and what it needs.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Resources {
    /// At most so many processors, such as 0.5
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    limit_cpu: Option<i64>,
    /// At most so much memory, such as 64m
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    limit_memory: Option<i64>,
    /// At most so many processes; 0 means without limit
    #[arg(long, value_name = "COUNT")]
    limit_pids: Option<i64>,
    /// So much memory and swap together; -1 means without limit
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_unbound, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// How readily memory is swapped, 0 to 100; -1 leaves it to the host
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    memory_swappiness: Option<i64>,
    /// So many processors are kept for it
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    reserve_cpu: Option<i64>,
    /// So much memory is kept for it
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    reserve_memory: Option<i64>,
}

impl Resources {
    /// Writes what is given into the task.
    pub(crate) fn apply(self, task: &mut TaskTemplate) {
        let Self {
            limit_cpu,
            limit_memory,
            limit_pids,
            memory_swap,
            memory_swappiness,
            reserve_cpu,
            reserve_memory,
        } = self;
        let given = [
            limit_cpu,
            limit_memory,
            limit_pids,
            memory_swap,
            memory_swappiness,
            reserve_cpu,
            reserve_memory,
        ];
        if given.iter().all(Option::is_none) {
            return;
        }
        let resources = task.resources.get_or_insert_default();
        let limits = resources.limits.get_or_insert_default();
        limits.nano_cpus = limit_cpu.unwrap_or(limits.nano_cpus);
        limits.memory_bytes = limit_memory.unwrap_or(limits.memory_bytes);
        limits.pids = limit_pids.unwrap_or(limits.pids);
        let reserved = resources.reservations.get_or_insert_default();
        reserved.nano_cpus = reserve_cpu.unwrap_or(reserved.nano_cpus);
        reserved.memory_bytes = reserve_memory.unwrap_or(reserved.memory_bytes);
        resources.swap_bytes = memory_swap.or(resources.swap_bytes);
        resources.memory_swappiness = memory_swappiness.or(resources.memory_swappiness);
    }
}

/// `--generic-resource`: `gpu=2`.
pub(crate) fn generic(text: &str) -> Result<GenericResource, String> {
    let Some((kind, value)) = text.split_once('=') else {
        return Err(format!("invalid generic-resource format `{text}` expected `name=value`"));
    };
    let value = value
        .parse()
        .map_err(|_| format!("invalid generic-resource `{text}`: its value must be a whole number"))?;
    let discrete = DiscreteResource { kind: kind.to_owned(), value };
    Ok(GenericResource { named_resource_spec: None, discrete_resource_spec: Some(discrete) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_resources_are_counted() {
        assert_eq!(generic("gpu=2").unwrap().discrete_resource_spec.unwrap().value, 2);
        for (text, rule) in [
            ("a", "invalid generic-resource format `a` expected `name=value`"),
            ("a=b", "invalid generic-resource `a=b`: its value must be a whole number"),
        ] {
            assert_eq!(generic(text).unwrap_err(), rule);
        }
    }
}
