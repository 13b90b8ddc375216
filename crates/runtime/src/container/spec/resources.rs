//! What a container may use: limits, devices and bounds of its processes, in the OCI runtime's words.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use crate::container::description::{Confinement, DeviceUse, Limits, Ulimit};
use crate::container::error::ContainerError;
use crate::container::spec::document::{BlockIo, Cpu, Device, DeviceRule, Memory, Pids, Resources, Rlimit};

/// The limits, checked, and rules for these devices.
///
/// # Errors
/// If a limit breaks a rule.
pub(crate) fn resources(
    limits: &Limits,
    confinement: &Confinement,
    devices: &[(Device, String)],
) -> Result<Resources, ContainerError> {
    check(limits)?;
    Ok(Resources {
        devices: device_rules(confinement, devices)?,
        memory: memory(limits),
        cpu: cpu(limits),
        pids: (limits.pids > 0).then_some(Pids { limit: limits.pids }),
        block_io: (limits.block_weight > 0).then_some(BlockIo { weight: limits.block_weight }),
    })
}

/// Bounds of single processes.
///
/// # Errors
/// If there is no such bound, or the soft one is above the hard one.
pub(crate) fn rlimits(ulimits: &[Ulimit]) -> Result<Vec<Rlimit>, ContainerError> {
    let number = |bound: i64| u64::try_from(bound).unwrap_or(u64::MAX);
    let one = |Ulimit { name, soft, hard }: &Ulimit| {
        if !model::spec::container::Ulimit::NAMES.contains(&name.as_str()) {
            return Err(ContainerError::Invalid(format!("invalid ulimit type: {name}")));
        }
        if number(*soft) > number(*hard) {
            let text = format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
            return Err(ContainerError::Invalid(text));
        }
        let kind = format!("RLIMIT_{}", name.to_ascii_uppercase());
        Ok(Rlimit { kind, hard: number(*hard), soft: number(*soft) })
    };
    ulimits.iter().map(one).collect()
}

/// The devices of the host that are wished, with what may be done with each.
///
/// # Errors
/// If one is not there, or is no device.
pub(crate) fn devices(confinement: &Confinement) -> Result<Vec<(Device, String)>, ContainerError> {
    if confinement.privileged {
        return Ok(all_devices(Path::new("/dev")).into_iter().map(|device| (device, "rwm".into())).collect());
    }
    let mut found = Vec::new();
    for DeviceUse { host, path, access } in &confinement.devices {
        let access = if access.is_empty() { "rwm" } else { access };
        if !access.chars().all(|letter| "rwm".contains(letter)) {
            return Err(ContainerError::Invalid(format!("invalid device mode: {access}")));
        }
        let target = if path.is_empty() { host.to_string_lossy().into_owned() } else { path.clone() };
        let device = device(host, target).ok_or_else(|| {
            let text = format!(
                "error gathering device information while adding custom device \"{}\"",
                host.display()
            );
            ContainerError::Invalid(format!("{text}: no such device"))
        })?;
        found.push((device, access.to_owned()));
    }
    Ok(found)
}

fn check(limits: &Limits) -> Result<(), ContainerError> {
    let invalid = |text: &str| Err(ContainerError::Invalid(text.to_owned()));
    if limits.memory != 0 && limits.memory < MEMORY_MIN {
        return invalid("Minimum memory limit allowed is 6MB");
    }
    if limits.memory_swap > 0 && limits.memory_swap < limits.memory {
        return invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if limits.memory_swap > 0 && limits.memory == 0 {
        return invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if limits.swappiness.is_some_and(|swappiness| swappiness > 100) {
        return invalid("Invalid value: swappiness, valid memory swappiness range is 0-100");
    }
    if limits.nano_cpus < 0 {
        return invalid("range of CPUs is from 0.01 upwards");
    }
    if limits.nano_cpus > 0 && (limits.cpu_quota > 0 || limits.cpu_period > 0) {
        return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    }
    if limits.cpu_period > 0 && !(1000..=1_000_000).contains(&limits.cpu_period) {
        return invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if limits.cpu_quota > 0 && limits.cpu_quota < 1000 {
        return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    if !(-1000..=1000).contains(&limits.oom_score_adj) {
        return invalid("Invalid value: oom score adj, the range is [-1000, 1000]");
    }
    Ok(())
}

fn memory(limits: &Limits) -> Option<Memory> {
    let positive = |number: i64| (number > 0).then_some(number);
    let limit = positive(limits.memory);
    // Without a word about swap, it may use as much of it as of memory: Docker's rule.
    let swap = match limits.memory_swap {
        0 => limit.map(|limit| limit.saturating_mul(2)),
        other => Some(other),
    };
    let memory = Memory {
        limit,
        reservation: positive(limits.memory_reservation),
        swap: swap.filter(|_| limit.is_some()),
        swappiness: limits.swappiness,
        disable_oom_killer: limits.oom_kill_disable.then_some(true),
    };
    (memory != Memory::default()).then_some(memory)
}

fn cpu(limits: &Limits) -> Option<Cpu> {
    let mut cpu = Cpu {
        shares: (limits.cpu_shares > 0).then_some(limits.cpu_shares),
        quota: (limits.cpu_quota != 0).then_some(limits.cpu_quota),
        period: (limits.cpu_period > 0).then_some(limits.cpu_period),
        cpus: limits.cpuset_cpus.clone(),
        mems: limits.cpuset_mems.clone(),
    };
    if limits.nano_cpus > 0 {
        cpu.period = Some(PERIOD_MICROS);
        cpu.quota = Some(limits.nano_cpus / (1_000_000_000 / PERIOD_MICROS as i64));
    }
    (cpu != Cpu::default()).then_some(cpu)
}

fn device_rules(
    confinement: &Confinement,
    devices: &[(Device, String)],
) -> Result<Vec<DeviceRule>, ContainerError> {
    if confinement.privileged {
        return Ok(vec![DeviceRule { allow: true, access: "rwm".into(), ..DeviceRule::default() }]);
    }
    let mut rules = vec![DeviceRule { allow: false, access: "rwm".into(), ..DeviceRule::default() }];
    rules.extend(devices.iter().map(|(device, access)| DeviceRule {
        allow: true,
        kind: device.kind,
        major: Some(i64::from(device.major)),
        minor: Some(i64::from(device.minor)),
        access: access.clone(),
    }));
    for text in &confinement.device_rules {
        let wrong = || ContainerError::Invalid(format!("invalid device cgroup rule format: '{text}'"));
        rules.push(device_rule(text).ok_or_else(wrong)?);
    }
    Ok(rules)
}

/// A rule as users write it: `c 1:* rwm`.
fn device_rule(text: &str) -> Option<DeviceRule> {
    let mut words = text.split(' ');
    let kind = match words.next()? {
        "a" => "a",
        "b" => "b",
        "c" => "c",
        _ => return None,
    };
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        digits => digits.parse::<u32>().ok().map(|number| Some(i64::from(number))),
    };
    let access = words.next()?.to_owned();
    let good = !access.is_empty() && access.chars().all(|letter| "rwm".contains(letter));
    let rule = DeviceRule { allow: true, kind, major: number(major)?, minor: number(minor)?, access };
    (good && words.next().is_none()).then_some(rule)
}

fn device(host: &Path, path: String) -> Option<Device> {
    let found = fs::metadata(host).ok()?;
    let kind = match found.file_type() {
        kind if kind.is_char_device() => "c",
        kind if kind.is_block_device() => "b",
        _ => return None,
    };
    let number = found.rdev();
    Some(Device {
        kind,
        path,
        major: ((number >> 8) & 0xfff | (number >> 32) & !0xfff) as u32,
        minor: (number & 0xff | (number >> 12) & !0xff) as u32,
        file_mode: found.permissions().mode() & 0o777,
        uid: found.uid(),
        gid: found.gid(),
    })
}

/// All devices of the host, but for terminals and shared memory, which a container has for itself.
fn all_devices(folder: &Path) -> Vec<Device> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let own = ["pts", "shm", "fd", "mqueue", ".lxc", ".udev"];
            if !own.iter().any(|name| path.ends_with(name)) {
                found.extend(all_devices(&path));
            }
        } else if (kind.is_char_device() || kind.is_block_device()) && !path.ends_with("console") {
            found.extend(device(&path, path.to_string_lossy().into_owned()));
        }
    }
    found
}

const MEMORY_MIN: i64 = 6 << 20;
const PERIOD_MICROS: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn billionths_of_a_cpu_become_a_quota() {
        let cpu = cpu(&Limits { nano_cpus: 250_000_000, ..Limits::default() }).unwrap();
        assert_eq!((cpu.quota, cpu.period), (Some(25_000), Some(100_000)));
    }

    #[test]
    fn swap_may_be_as_large_as_memory_unless_said_otherwise() {
        let swap =
            |memory_swap| memory(&Limits { memory: 8 << 20, memory_swap, ..Limits::default() }).unwrap().swap;
        assert_eq!((swap(0), swap(-1), swap(9 << 20)), (Some(16 << 20), Some(-1), Some(9 << 20)));
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        for (limits, text) in [
            (Limits { memory: 1024, ..Limits::default() }, "Minimum memory limit allowed is 6MB"),
            (
                Limits { nano_cpus: 1, cpu_quota: 5000, ..Limits::default() },
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
            ),
            (
                Limits { oom_score_adj: 2000, ..Limits::default() },
                "Invalid value: oom score adj, the range is [-1000, 1000]",
            ),
        ] {
            assert_eq!(check(&limits).unwrap_err().to_string(), text);
        }
        let wrong = [Ulimit { name: "x".into(), soft: 1, hard: 1 }];
        assert_eq!(rlimits(&wrong).unwrap_err().to_string(), "invalid ulimit type: x");
        assert!(rlimits(&[Ulimit { name: "nofile".into(), soft: 2, hard: 1 }]).is_err());
        assert!(rlimits(&[Ulimit { name: "nofile".into(), soft: -1, hard: -1 }]).is_ok());
    }

    #[test]
    fn device_rules_are_read_as_users_write_them() {
        let rule = device_rule("c 1:* rw").unwrap();
        assert_eq!((rule.kind, rule.major, rule.minor, rule.access.as_str()), ("c", Some(1), None, "rw"));
        for wrong in ["", "c", "d 1:1 r", "c 1 r", "c 1:1 q", "c 1:1", "c 1:1 r x", "c x:1 r"] {
            assert!(device_rule(wrong).is_none(), "{wrong}");
        }
    }
}
