//! The rules of a task's spec (`control.md` section 11).

use std::collections::BTreeSet;

use model::image::ImageRef;
use model::limits::{MEMORY_BYTES_MIN, NANO_CPUS_MIN};
use model::spec::container::HealthConfig;
use model::spec::resources::Resources;
use model::spec::task::GenericSpec;
use model::{ContainerSpec, Duration, Refusal, TaskSpec};

/// The least time between or for health checks.
const HEALTH_TIME_MIN: Duration = Duration::from_millis(1);
/// The shortest name of a plugin's runtime.
const KIND_LENGTH_MIN: usize = 3;

/// Judges a container.
pub(super) fn check(container: &ContainerSpec) -> Result<(), Refusal> {
    if container.image.is_empty() {
        return Err(Refusal::invalid("ContainerSpec: image reference must be provided"));
    }
    if ImageRef::parse(&container.image).is_err() {
        let message = format!("ContainerSpec: \"{}\" is not a valid repository/tag", container.image);
        return Err(Refusal::invalid(message));
    }
    check_mounts(container)?;
    container.healthcheck.as_ref().map_or(Ok(()), check_health)
}

/// Judges something that only a plugin knows how to run.
pub(super) fn check_generic(generic: &GenericSpec) -> Result<(), Refusal> {
    let kind = generic.kind.to_lowercase();
    if kind.len() < KIND_LENGTH_MIN {
        return Err(Refusal::invalid("Generic runtime: Invalid name \"".to_owned() + &generic.kind + "\""));
    }
    if matches!(kind.as_str(), "container" | "attachment") {
        return Err(Refusal::invalid(format!("Generic runtime: {} is a reserved name", generic.kind)));
    }
    match &generic.payload {
        None => Err(Refusal::invalid("Generic runtime is missing payload")),
        Some(payload) if payload.type_url.is_empty() => {
            Err(Refusal::invalid("Generic runtime is missing payload type"))
        }
        Some(payload) if payload.value.is_empty() => {
            Err(Refusal::invalid("Generic runtime has an empty payload"))
        }
        Some(_) => Ok(()),
    }
}

/// Judges what the task may take and what is set aside for it.
pub(super) fn check_resources(task: &TaskSpec) -> Result<(), Refusal> {
    let Some(requirements) = &task.resources else { return Ok(()) };
    for resources in [&requirements.limits, &requirements.reservations].into_iter().flatten() {
        check_amounts(resources)?;
    }
    Ok(())
}

fn check_amounts(resources: &Resources) -> Result<(), Refusal> {
    let Resources { nano_cpus, memory_bytes, generic: _ } = resources;
    if *nano_cpus != 0 && *nano_cpus < NANO_CPUS_MIN {
        let cpus = *nano_cpus as f64 / 1e9;
        return Err(Refusal::invalid(format!("invalid cpu value {}: Must be at least 0.001", plain(cpus))));
    }
    if *memory_bytes != 0 && *memory_bytes < MEMORY_BYTES_MIN {
        let message = format!("invalid memory value {memory_bytes}: Must be at least 4MiB");
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

/// The number in six digits at most, very small ones with an exponent of two digits.
fn plain(number: f64) -> String {
    if number == 0.0 || number.abs() >= 1e-4 {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn check_mounts(container: &ContainerSpec) -> Result<(), Refusal> {
    let mut targets = BTreeSet::new();
    for mount in &container.mounts {
        if !targets.insert(&mount.target) {
            let message = format!("ContainerSpec: duplicate mount point: {}", mount.target);
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

fn check_health(health: &HealthConfig) -> Result<(), Refusal> {
    let HealthConfig { test: _, interval, timeout, retries, start_period, start_interval } = health;
    let times = [
        ("Interval", interval),
        ("Timeout", timeout),
        ("StartPeriod", start_period),
        ("StartInterval", start_interval),
    ];
    for (name, time) in times {
        if time.is_some_and(|time| !time.is_zero() && time < HEALTH_TIME_MIN) {
            let message = format!("ContainerSpec: {name} in HealthConfig cannot be less than 1ms");
            return Err(Refusal::invalid(message));
        }
    }
    if *retries < 0 {
        return Err(Refusal::invalid("ContainerSpec: Retries in HealthConfig cannot be negative"));
    }
    Ok(())
}
