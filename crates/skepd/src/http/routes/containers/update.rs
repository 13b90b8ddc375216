//! What a container may use, and whether it is started again: wished, changed and shown.

use api::ApiError;
use api::container::ContainerUpdated;
use api::host_config::{HostConfig, RestartPolicy as Wished};
use axum::extract::{Path, State};
use runtime::container::RestartPolicy;
use runtime::container::description::{Limits, Ulimit};

use crate::http::error::Answer;
use crate::http::request::Json;
use crate::http::respond;
use crate::http::routes::Shared;

/// What is not said stays as it is.
pub(super) async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    Json(wish): Json<HostConfig>,
) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let record = daemon.containers.inspect(id)?;
    let pids = wish.pids_limit.unwrap_or(record.description.limits.pids).max(0);
    let limits = Limits { pids, ..changed(record.description.limits.clone(), limits(&wish)?) };
    let policy = if wish.restart_policy.name.is_empty() { None } else { Some(policy(&wish.restart_policy)?) };
    daemon.containers.update(id, limits, policy).await?;
    Ok(respond::json(&ContainerUpdated::default()))
}

/// The limits there are, with those that are wished in their place.
fn changed(now: Limits, wished: Limits) -> Limits {
    fn or<T: Default + PartialEq>(wished: T, now: T) -> T {
        if wished == T::default() { now } else { wished }
    }
    // A share of a processor is said in one of two ways: the new one takes the place of the old.
    let (by_nanos, by_quota) = (wished.nano_cpus != 0, wished.cpu_quota != 0 || wished.cpu_period != 0);
    let nano_cpus = if by_quota { 0 } else { now.nano_cpus };
    let (cpu_period, cpu_quota) = if by_nanos { (0, 0) } else { (now.cpu_period, now.cpu_quota) };
    Limits {
        nano_cpus: or(wished.nano_cpus, nano_cpus),
        cpu_shares: or(wished.cpu_shares, now.cpu_shares),
        cpu_period: or(wished.cpu_period, cpu_period),
        cpu_quota: or(wished.cpu_quota, cpu_quota),
        cpuset_cpus: or(wished.cpuset_cpus, now.cpuset_cpus),
        cpuset_mems: or(wished.cpuset_mems, now.cpuset_mems),
        memory: or(wished.memory, now.memory),
        memory_reservation: or(wished.memory_reservation, now.memory_reservation),
        memory_swap: or(wished.memory_swap, now.memory_swap),
        swappiness: or(wished.swappiness, now.swappiness),
        block_weight: or(wished.block_weight, now.block_weight),
        // The rest of a process is given when it starts, and cannot be changed.
        pids: now.pids,
        ulimits: now.ulimits,
        oom_score_adj: now.oom_score_adj,
        oom_kill_disable: now.oom_kill_disable,
    }
}

/// The limits as a client wishes them.
///
/// # Errors
/// If one is out of range.
pub(super) fn limits(host: &HostConfig) -> Result<Limits, ApiError> {
    let refuse =
        |field: &str, value: i64| ApiError::invalid(format!("HostConfig.{field}: {value} is out of range"));
    let whole = |value: i64, field: &str| u64::try_from(value).map_err(|_| refuse(field, value));
    let ulimit = |limit: &api::spec::container::Ulimit| Ulimit {
        name: limit.name.clone(),
        soft: limit.soft,
        hard: limit.hard,
    };
    if host.nano_cpus < 0 || host.memory < 0 || host.memory_reservation < 0 {
        let message = "HostConfig: NanoCpus, Memory and MemoryReservation cannot be negative";
        return Err(ApiError::invalid(message));
    }
    Ok(Limits {
        nano_cpus: host.nano_cpus,
        cpu_shares: whole(host.cpu_shares, "CpuShares")?,
        cpu_period: whole(host.cpu_period, "CpuPeriod")?,
        cpu_quota: host.cpu_quota,
        cpuset_cpus: host.cpuset_cpus.clone(),
        cpuset_mems: host.cpuset_mems.clone(),
        memory: host.memory,
        memory_reservation: host.memory_reservation,
        memory_swap: host.memory_swap,
        swappiness: host.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        pids: host.pids_limit.unwrap_or(0),
        block_weight: host.blkio_weight,
        ulimits: host.ulimits.iter().map(ulimit).collect(),
        oom_score_adj: i32::try_from(host.oom_score_adj)
            .ok()
            .filter(|value| (-1000..=1000).contains(value))
            .ok_or_else(|| refuse("OomScoreAdj", host.oom_score_adj))?,
        oom_kill_disable: host.oom_kill_disable.unwrap_or(false),
    })
}

/// A description of how a container is run, with these limits.
pub(super) fn with_limits(shown: HostConfig, limits: &Limits) -> HostConfig {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    HostConfig {
        nano_cpus: limits.nano_cpus,
        cpu_shares: signed(limits.cpu_shares),
        cpu_period: signed(limits.cpu_period),
        cpu_quota: limits.cpu_quota,
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        memory: limits.memory,
        memory_reservation: limits.memory_reservation,
        memory_swap: limits.memory_swap,
        memory_swappiness: limits.swappiness.map(signed),
        pids_limit: Some(limits.pids).filter(|pids| *pids != 0),
        blkio_weight: limits.block_weight,
        ..shown
    }
}

/// The policy as a client wishes it.
///
/// # Errors
/// If there is no such policy, or it cannot be counted.
pub(super) fn policy(wished: &Wished) -> Result<RestartPolicy, ApiError> {
    let Wished { name, maximum_retry_count: count } = wished;
    let refuse = |rule: &str| Err(ApiError::invalid(format!("invalid restart policy: {rule}")));
    match (name.as_str(), u64::try_from(*count)) {
        ("on-failure", Ok(max)) => Ok(RestartPolicy::OnFailure { max }),
        ("on-failure", Err(_)) => refuse("maximum retry count cannot be negative"),
        ("" | "no" | "always" | "unless-stopped", Err(_) | Ok(1..)) => {
            refuse("maximum retry count can only be used with 'on-failure'")
        }
        ("" | "no", Ok(0)) => Ok(RestartPolicy::No),
        ("always", Ok(0)) => Ok(RestartPolicy::Always),
        ("unless-stopped", Ok(0)) => Ok(RestartPolicy::UnlessStopped),
        (other, _) => refuse(&format!(
            "unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

/// The policy as clients are shown it.
pub(super) fn shown_policy(policy: RestartPolicy) -> Wished {
    let (name, max) = match policy {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure { max } => ("on-failure", max),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    Wished { name: name.to_owned(), maximum_retry_count: i64::try_from(max).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_shown_as_they_were_wished() {
        for (name, maximum_retry_count) in
            [("no", 0), ("always", 0), ("unless-stopped", 0), ("on-failure", 0), ("on-failure", 3)]
        {
            let wished = Wished { name: name.to_owned(), maximum_retry_count };
            assert_eq!(shown_policy(policy(&wished).unwrap()), wished);
        }
        for (name, maximum_retry_count) in [("sometimes", 0), ("always", 1), ("no", -1), ("on-failure", -1)] {
            let wished = Wished { name: name.to_owned(), maximum_retry_count };
            let refused = policy(&wished).unwrap_err();
            assert!(
                refused.status == 400 && refused.message.starts_with("invalid restart policy: "),
                "{refused}"
            );
        }
    }

    #[test]
    fn only_what_is_said_changes() {
        let now = Limits { memory: 5, nano_cpus: 7, cpu_shares: 9, ..Limits::default() };
        let wished = Limits { memory: 6, cpu_quota: 50_000, ..Limits::default() };
        let expected = Limits { memory: 6, cpu_quota: 50_000, cpu_shares: 9, ..Limits::default() };
        assert_eq!(changed(now, wished), expected);
    }
}
