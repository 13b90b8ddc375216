//! Reads and changes the control groups of containers that run.
//!
//! The OCI runtime makes and removes them; here they are frozen, given other limits, and read for figures.

use std::fs;
use std::io;
use std::path::Path;

use crate::container::ContainerId;
use crate::container::ground::Ground;
use crate::container::keeper::Frozen;
use crate::container::spec::Cgroups;
use crate::container::spec::document::{Cpu, Memory, Resources};

/// Lets all processes stand still, or go on.
pub(crate) fn freeze(ground: &Ground, id: ContainerId, frozen: Frozen) -> io::Result<()> {
    let folder = ground.cgroup_folder(id, "freezer");
    match (ground.cgroups, frozen) {
        (Cgroups::V2, Frozen::Still) => fs::write(folder.join("cgroup.freeze"), "1"),
        (Cgroups::V2, Frozen::Moving) => fs::write(folder.join("cgroup.freeze"), "0"),
        (_, Frozen::Still) => fs::write(folder.join("freezer.state"), "FROZEN"),
        (_, Frozen::Moving) => fs::write(folder.join("freezer.state"), "THAWED"),
    }
}

/// Gives a container other limits.
pub(crate) fn limit(ground: &Ground, id: ContainerId, wanted: &Resources) -> io::Result<()> {
    let set = |controller: &str, file: &str, value: String| {
        fs::write(ground.cgroup_folder(id, controller).join(file), value)
    };
    let is_v2 = ground.cgroups == Cgroups::V2;
    if let Some(Memory { limit: Some(limit), swap, .. }) = &wanted.memory {
        if is_v2 {
            set("memory", "memory.max", limit.to_string())?;
        } else {
            let swap = swap.unwrap_or(-1);
            // The bound of both must never be below the bound of memory, so the order depends on what was.
            let both = set("memory", "memory.memsw.limit_in_bytes", swap.to_string());
            set("memory", "memory.limit_in_bytes", limit.to_string())?;
            if both.is_err()
                && ground.cgroup_folder(id, "memory").join("memory.memsw.limit_in_bytes").exists()
            {
                set("memory", "memory.memsw.limit_in_bytes", swap.to_string())?;
            }
        }
    }
    if let Some(Cpu { quota, period, shares, cpus, mems: _ }) = &wanted.cpu {
        let (quota, period) = (quota.unwrap_or(-1), period.unwrap_or(100_000));
        if is_v2 {
            let quota = if quota > 0 { quota.to_string() } else { "max".to_owned() };
            set("cpu", "cpu.max", format!("{quota} {period}"))?;
        } else {
            set("cpu", "cpu.cfs_period_us", period.to_string())?;
            set("cpu", "cpu.cfs_quota_us", quota.to_string())?;
        }
        if let Some(shares) = shares {
            if is_v2 {
                let weight = 1 + (shares.clamp(&2, &262_144) - 2) * 9999 / 262_142;
                set("cpu", "cpu.weight", weight.to_string())?;
            } else {
                set("cpu", "cpu.shares", shares.to_string())?;
            }
        }
        if !cpus.is_empty() {
            set("cpuset", "cpuset.cpus", cpus.clone())?;
        }
    }
    if let Some(pids) = &wanted.pids {
        set("pids", "pids.max", pids.limit.to_string())?;
    }
    Ok(())
}

/// The processes of a container, as numbers of the host.
pub(crate) fn processes(ground: &Ground, id: ContainerId) -> Vec<u32> {
    let text = fs::read_to_string(ground.cgroup_folder(id, "pids").join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// A number in a file; 0 if there is none.
pub(crate) fn number(folder: &Path, file: &str) -> u64 {
    fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The lines `name value` of a file.
pub(crate) fn pairs(folder: &Path, file: &str) -> Vec<(String, u64)> {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}
